"""Where orders match, whatever the venue.

market_feed  what a simulated market tells of itself: each dialect makes its own frames of it
replayed     a market made from a recording, beside which our orders rest
simulated    a market made by the matching engine and ten simulated traders
"""
