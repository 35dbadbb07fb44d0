"""Starts a run, watches it and ends it.

compiling     compiling everything before any stage starts
control       how commands reach a supervisor, and how it reports progress
children      the processes of a run: forked, watched, restarted
loans         lending a stage: another process plays its part in the foreground, until it ends
orphans       what a dead supervisor left, stages that still run and segments: adopted, or ended
reference     what must be known before a run: the instruments, and our limits in their ticks and
              lots
run_segments  the segments of one run as its supervisor holds them: made, or taken over from one
              that died
supervisor    the supervisor: creates the segments, starts the stages, watches them, and ends them
one_run       one run of an instance: its lock and its mark, a new run or one that was left, and
              its end
supervise     the supervisor's process: ``python -m procs.supervision.supervise [--foreground]
              CONFIG_FILE``
"""
