"""procs/observe/events."""
