"""The recorded steps of a stage: their sources, and their repetition.

apart           a stage in private memory, built by the same code and invisible to others
moments         the inputs and outputs of a stage by step, joined by its STEP records
follow          the steps of a running stage as they happen, by taps on its rings
stage_modules   the modules of a stage, for a debugger
repeat          repeats the steps of a stage by its own functions in private memory
standing        copies the state of a running stage and its rings between two steps
step_recording  the file format of recorded steps: written by ``attach --to``
sources         reads recorded steps from the recording of a stage or ring, or a run's folder
recorder        records the inputs and outputs of a running stage, step by step
stepping        ``vortexctl step``: shows the input, output and changes of each recorded step
"""
