"""Market data out: topics, listeners, messages.

streams    market streams: topics, who listens to them, and the connections
json_feed  one symbol's market streams: trades, best bid and ask, diffs and partial books
sbe_feed   one symbol's market streams in binary: the same events, packed by ``struct``
"""
