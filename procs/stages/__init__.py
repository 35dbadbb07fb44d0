"""procs/stages."""
