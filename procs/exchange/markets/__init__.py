"""Where orders match, whatever the venue.

market_feed  what a simulated market tells of itself: each dialect makes its own frames of it
simulated    a market made by the matching engine and ten simulated traders
"""
