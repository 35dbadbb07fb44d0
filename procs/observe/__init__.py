"""Observers of a run: samples, screens, taps and profiles; all of it is cold.

process     one process from outside: its code, its stacks, its profile
samples     everything that observers show, copied once as plain data
archive     the files that a run leaves: its report, the last records of its rings, its tables
metrics     the numbers of a run for Prometheus, from one sample
table_text  numbers and tables as text of a given width, for terminals and for pipes
watch       watches an instance: attach, sample, notice its end, and find its next run
taps        the records of a ring as they pass
events      the log of the hot loops; the deaths and faults of a run
latency     the slow orders: which, where, and why
screens     the screens of terminals
"""
