"""A matching engine and simulated traders, for the local exchange.

matching_records  the records and codes of the matching engine: orders, levels, events
matching_store    the memory of the matching engine: order rows, id table, levels, events
matching          a price-time-priority matching engine for one symbol, compiled
random_numbers    pseudo-random numbers: the same seed gives the same numbers everywhere
traders           ten simulated traders on one symbol's book, compiled
"""
