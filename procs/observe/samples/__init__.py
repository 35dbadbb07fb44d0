"""Everything that observers show, copied once as plain data.

kernel  the kernel's figures of one thread: CPU time, waits, switches, page faults
names   the names of each stage's counters and rings, for observers
view    read-only maps of every table and ring of a run, at no cost to the stages
report  the numbers of a run, for people and as JSON
sample  one sample of a run: everything that observers show, copied once, as plain data
rates   the difference of two samples of a run, per second
"""
