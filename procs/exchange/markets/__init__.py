"""Where orders match, whatever the venue.

market_feed  the events of a simulated market; each dialect makes its own frames of them
replayed     a market made from a recording, beside which our orders rest
simulated    a market made by the matching engine and ten simulated traders
"""
