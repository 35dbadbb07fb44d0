"""procs/plan."""
