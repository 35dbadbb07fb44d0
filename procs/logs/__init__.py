"""Files of lines: the logs of processes and the events of a run.

text_streams  the encoding of text in files, in pipes and on a terminal
hot_events    every event that a hot loop can log, with its text
log_file      one file of lines, rotated by size: every line is whole, even on a full disk
process_log   the log files of a run: one per process, and one for the events of the hot loops
log_lines     the lines of all logs of a run, in one stream in the order of time
run_events    the changes of state in a run, one JSON line each, for ``vortexctl events``
"""
