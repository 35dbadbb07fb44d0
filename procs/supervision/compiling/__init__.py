"""procs/supervision/compiling."""
