"""A stage as plain Python under a debugger: in place, as a shadow, or from a recording.

plain     a fresh process at this terminal in which every compiled function is plain Python
prompt    pdb for a stage: breakpoints by function or line, Ctrl-C to the prompt, q to leave
steps     the recorded steps of a stage: their sources, and their repetition
in_place  one stage as plain Python at the prompt, in place of the supervisor's own process
shadow    repeats the steps of a running stage as plain Python, and compares the outputs
whole_run  repeats a whole run in one process from the intakes of its stages
"""
