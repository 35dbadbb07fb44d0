"""procs/machine."""
