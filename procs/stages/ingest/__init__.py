"""procs/stages/ingest."""
