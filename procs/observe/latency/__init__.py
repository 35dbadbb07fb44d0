"""Which orders took longer than usual, where, and why.

excursions     the jitter audit of a running engine: which orders took longer than usual, where,
               and why
jitter_report  what is told of a jitter audit of the CPUs: as an object, and for people
worst          the orders over budget of a run: from its memory while there is any, from its
               archive later
"""
