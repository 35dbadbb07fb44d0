"""A stage as plain Python under a debugger: in place, in the shadow of the real one, or recorded.

plain        a fresh process in which every compiled function is plain Python
prompt       pdb, with breakpoints by function or by line
stages       what a debugger asks of a stage's modules
in_place     one stage in the foreground, in the place of the supervisor's own; nothing is traded
apart        a stage in memory of its own, which it shares with nobody
repeat       its steps, one by one, as a STEP record says that they were taken
moments      what a stage read and wrote, gathered step by step from its rings
standing     what a stage knows between two steps, copied while it runs
follow       the steps of a running stage as they come
shadow       the steps of a running stage, repeated beside it and compared
recording    the same in a file: its lines
recorder     writes one: ``vortexctl attach STAGE --to FILE``
sources      reads one, the records of one ring, or what a run left in its folder
stepping     ``vortexctl step``: a file's steps, one by one
"""
