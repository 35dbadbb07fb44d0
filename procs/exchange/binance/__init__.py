"""Binance Spot's dialect.

words            what the venue says and reads: refusals, parameters, the symbols
accounts         what an account can do at the venue, and how it hears of it
methods          what a request may ask for
streams          market data out: topics, listeners, messages
doors            how requests come in and answers go out
recordings       a market made from a recording of the venue's streams
binance_dialect  Binance Spot put together: its accounts, streams, methods and doors
"""
