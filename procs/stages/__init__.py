"""The hot loops and their main threads.

base            what every stage shares: memory, counters, the life of its process
book_stage      the book stage: market records in, the top of each book out
gateway         requests in, order bytes out; answers in, order events out
ingest          socket bytes in, market records out; one stage per source
strategy_inputs  what the strategy stage takes in: tops with their levels, trades, order events
strategy_stage  the strategy stage: tops, trades and order events in, requests out
joint           several stages in one process: one hot thread takes their turns in the order of a
                tick
"""
