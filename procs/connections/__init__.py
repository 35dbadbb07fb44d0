"""procs/connections."""
