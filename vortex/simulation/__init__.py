"""A matching engine and simulated traders, for the local exchange.

matching_records  the records and codes of the matching engine: one symbol's orders, levels and
                  events
matching_store    where the matching engine keeps things: order rows, the id table, sorted levels,
                  events
matching          a price-time-priority matching engine for one symbol, compiled
random_numbers    pseudo-random numbers for simulations: the same seed gives the same numbers
                  everywhere
traders           ten simulated traders on one symbol's book, compiled
"""
