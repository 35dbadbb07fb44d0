"""procs/observe/samples."""
