"""procs/exchange/methods."""
