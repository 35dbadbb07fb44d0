"""procs/observe/latency."""
