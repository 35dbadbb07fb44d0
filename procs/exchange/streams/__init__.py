"""Market data out: topics, listeners, messages.

client_connection  one WebSocket client: pings, pongs, message assembly, and what gets it
                   disconnected
streams            market streams: topics, who listens to them, and the connections
json_feed          one symbol's market streams: trades, best bid and ask, diffs and partial books
sbe_feed           one symbol's market streams in binary: the same events as in ``feed``, packed
                   by ``struct``
"""
