"""procs/exchange/core."""
