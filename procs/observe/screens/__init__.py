"""procs/observe/screens."""
