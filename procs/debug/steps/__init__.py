"""Recorded steps of a stage: where they come from, and how they are repeated.

apart           a stage in memory of its own: built by the same code, seen by nobody, gone with
                its process
moments         what a stage read and wrote, step by step: its rings' records, gathered as its
                STEP records say
follow          the steps of a running stage as they come, by taps on its rings
stage_modules   what a debugger asks of a stage's modules
repeat          the steps of a stage, repeated one by one by the stage's own functions in memory
                of its own
standing        what a running stage knows, copied between two of its steps, and where its rings
                stood then
step_recording  records in a file, and all that is needed to step through them: what ``attach
                --to`` writes
sources         where recorded steps come from: the recording of a stage, of one ring, or a run's
                folder
recorder        writes what a running stage reads and writes, step by step, from where it stood
                between two
stepping        ``vortexctl step``: recorded steps, one by one: what went in, what came out, what
                changed
"""
