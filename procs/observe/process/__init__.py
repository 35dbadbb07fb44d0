"""procs/observe/process."""
