"""What a request may ask for.

depth_books  the books that depth requests are answered with: the true ones, or old ones on demand
market_data  what anybody may ask for: the clock, the symbols, trades and tickers
replacing    cancel and replace: two requests in one, not atomic
signatures   who asks, and whether the request is fresh
trading      what an account may do with its orders: place, cancel, amend, replace
queries      what an account may ask about itself: orders, trades, balances, limits
methods      what a request may ask for: the same table for the WebSocket API and for REST
"""
