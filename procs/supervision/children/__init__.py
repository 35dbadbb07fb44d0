"""The processes of a run: forked, watched, restarted.

health      telling a stopped process from a stuck one, by its heartbeat and by what the kernel
            says
nursery     stages' processes, forked from one parent that has imported everything and holds no
            secret
policy      when a stage that died is started again: a pure function of its deaths and the time
keeper      one stage's process over its lives: started, watched, stopped, started again
log_keeper  keeps the log writer of a run: started, found again, started anew
run_stage   run stages in this process
preload     what the parent of the stages does once, so that no stage has to: imports, and numba's
            start
"""
