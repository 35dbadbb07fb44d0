"""procs/exchange/accounts."""
