"""The slow orders: which, where, and why.

excursions     the jitter audit of a running engine: the orders slower than usual, and the cause
jitter_report  the report of a jitter audit of the CPUs: as an object, and for people
worst          the orders over budget of a run: from its memory, or from its archive
"""
