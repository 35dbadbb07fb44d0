"""procs/supervision."""
