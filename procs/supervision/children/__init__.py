"""The processes of a run: forked, watched, restarted.

health      distinguishes a stopped process from a stuck one, by its heartbeat and the kernel
nursery     forks the stages' processes from one parent with all imports and no secret
policy      decides when a dead stage is started again, from its deaths and the time
keeper      keeps one stage's process: starts, watches, stops and restarts it
log_keeper  keeps the log writer of a run: starts, adopts and restarts it
run_stage   runs stages in this process
preload     the work that the parent of the stages does once for all: imports, numba's start
"""
