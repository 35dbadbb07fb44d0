"""procs/stages/base."""
