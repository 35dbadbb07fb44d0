"""procs/exchange/streams."""
