"""A local exchange that speaks its venues' protocols: `python -m procs.exchange`.

It shares no codec with the engine: picows frames the WebSockets, aiohttp serves REST, msgspec
reads and writes JSON.  The market is ten simulated traders, or a recording.

core             what the exchange is made of: its clock, symbols, orders and configuration
faults           what goes wrong on demand
accounts         accounts: balances, orders, positions, fills, whatever the venue
markets          where orders match: a simulation, or beside a recording
recordings       what recordings of all venues have in common: their files, steps and pace
doors            what every dialect's doors have in common: connections, the log, the side door
dialect          what the exchange needs of a venue's dialect
binance          Binance Spot's dialect
bybit            Bybit v5's dialect, spot and linear
exchange         the exchange put together, without its sockets: dialects, markets, the report
exchange_server  the sockets and timers of an exchange
"""
