"""A stage as plain Python under a debugger: in place, in the shadow of the real one, or recorded.

plain     a fresh process in which every compiled function is plain Python, at this terminal
prompt    pdb for a stage: breakpoints by function or line, Ctrl-C back to the prompt, q to leave
steps     recorded steps of a stage: where they come from, and how they are repeated
in_place  one stage as plain Python at the prompt, in the place of the supervisor's own
shadow    the steps of a running stage, repeated beside it as plain Python and compared with what
          it did
"""
