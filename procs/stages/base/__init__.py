"""What every stage shares: memory, counters, the life of its process.

locked     pages that stay where they are
outliers   orders over budget: where their time went, and what the machine did meanwhile
stage      what every stage shares: the parts of its loop, and what it is attached to
gathering  what a drain has touched: the list that the book and the strategy each keep while they
           gather
running    the life of a process that holds one stage or several: hot thread, main thread, end
"""
