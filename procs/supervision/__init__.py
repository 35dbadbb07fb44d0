"""Starts a run, watches it and ends it.

compiling     compiles everything before any stage starts
control       commands to a supervisor, and its progress reports
children      the processes of a run: forked, watched, restarted
loans         lends a stage to a foreground process until that process ends
orphans       adopts or ends the stages and segments that a dead supervisor left
reference     fetches the instruments of a run; converts our limits to their ticks and lots
run_segments  the segments of one run: created, or adopted from a dead supervisor
supervisor    the supervisor: creates the segments, starts the stages, watches them, ends them
one_run       one run of an instance: takes the lock, starts or adopts the run, ends it
supervise     the supervisor's process: ``python -m procs.supervision.supervise [--foreground]
              CONFIG_FILE``
"""
