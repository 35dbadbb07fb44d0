"""Files of lines: the logs of processes and the events of a run.

hot_events   every event that a hot loop may tell, with its text
log_file     one file of lines, rotated by size: a line is whole or not there, whatever the disk
             does
process_log  the logs of a run: one file per process, and one for what the hot loops told
log_lines    the lines of all logs of a run, in one stream in the order of time
run_events   what happened in a run, one JSON line each: what ``vortexctl events`` prints
"""
