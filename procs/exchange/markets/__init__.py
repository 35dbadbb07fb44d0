"""procs/exchange/markets."""
