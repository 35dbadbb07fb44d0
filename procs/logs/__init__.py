"""procs/logs."""
