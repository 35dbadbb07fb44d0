"""procs/observe/taps."""
