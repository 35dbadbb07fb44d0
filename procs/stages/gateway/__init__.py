"""procs/stages/gateway."""
