"""procs/dashboard/contents."""
