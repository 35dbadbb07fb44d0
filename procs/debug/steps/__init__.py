"""procs/debug/steps."""
