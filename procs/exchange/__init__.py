"""A local exchange that speaks Binance Spot's protocol: `python -m procs.exchange`.

It shares no codec with the engine: picows frames the WebSockets, aiohttp serves REST, msgspec
reads and writes JSON.  The market is ten simulated traders, or a recording.

core             what the exchange is made of: its clock, symbols, orders and configuration
faults           what goes wrong on demand
accounts         accounts: balances, orders, fills, limits
methods          what a request may ask for
streams          market data out: topics, listeners, messages
doors            how requests come in and answers go out
markets          where orders match: a simulation or a recording
exchange         the exchange put together, without its sockets: accounts, markets, and the report
exchange_server  the sockets and timers of an exchange
"""
