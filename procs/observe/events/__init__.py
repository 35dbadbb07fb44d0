"""The log of the hot loops, and what it says of deaths and faults.

log_text      what hot loops told, as text: the texts of the catalogue, with names in place of
              numbers
deaths        the deaths of a run: what ended, what the supervisor did, and the last that was
              heard of it
log_writer    the process that writes what the hot loops told into ``logs/hot.log`` of the run's
              folder
stage_faults  what went wrong in a stage: the warnings and errors of its logs, each told once
"""
