"""The log of the hot loops; the deaths and faults of a run.

log_text      formats the events of hot loops: texts of the catalogue, names instead of numbers
deaths        the deaths of a run: how a stage ended, what the supervisor did, its last events
log_writer    the process that writes the events of the hot loops into ``logs/hot.log``
stage_faults  the warnings and errors of a stage's logs, each shown once
"""
