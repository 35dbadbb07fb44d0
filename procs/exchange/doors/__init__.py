"""procs/exchange/doors."""
