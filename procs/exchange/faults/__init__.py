"""procs/exchange/faults."""
