"""procs/supervision/children."""
