"""Market data out: topics, their messages, and the connections of those who listen.

public_topics      topics of one category, and who listens to them
book_views         one symbol's books at the venue's four depths: what changed since the last time
public_feed        one symbol's public messages: books, trades, tickers
bybit_connection   what all clients have in common: pings as text, silence, control messages
public_connection  one client of the public topics
"""
