"""What every stage shares: memory, counters, the life of its process.

locked       pages that stay where they are
outliers     orders over budget: where their time went, and what the machine did meanwhile
memory_port  where the rings and tables of a stage come from
stage        what every stage shares: the parts of its loop, and what it is attached to
gathering    the instruments that a drain has touched
running      the life of a process that holds one stage or several: hot thread, main thread, end
"""
