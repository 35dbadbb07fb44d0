"""Looking at a run from outside: samples, screens, taps and profiles.  Nothing here is hot.

process     one process from outside: its code, its stacks, its profile
samples     everything that observers show, copied once as plain data
archive     what a run leaves behind: its report, the last records of its rings and its tables, as
            files
metrics     the numbers of a run for Prometheus: a pure function of one sample, written out by its
            library
table_text  numbers and tables as text of a given width, for terminals and for pipes
watch       keeping an eye on an instance: attach, sample, notice its end, and find its next run
taps        records of a ring as they pass
events      the log of the hot loops, and what it says of deaths and faults
latency     which orders took longer than usual, where, and why
screens     what terminals show
"""
