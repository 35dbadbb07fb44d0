"""Everything that observers show, copied once as plain data.

kernel  what the kernel says of one thread: the CPU it had, how it lost it, what it faulted
names   what the counters and rings of each stage are called, for observers
view    what a run looks like from outside: every table and ring, read-only, at no cost to the
        stages
report  the numbers of a run, for people and as JSON
sample  one sample of a run: everything that observers show, copied once, as plain data
rates   the difference of two samples of a run: what happened between them, per second
"""
