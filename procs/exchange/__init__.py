"""A local exchange that speaks Binance Spot's protocol: `python -m procs.exchange`.

It shares no codec with the engine: picows frames the WebSockets, aiohttp serves REST, msgspec
reads and writes JSON.  The market is ten simulated traders, or a recording.

config       what may be configured
instrument   one symbol: ticks, lots, texts, its exchangeInfo row
errors       a refusal with the venue's code and words
signatures   who asks, and whether the request is fresh
parameters   a request's parameters, read and checked as the venue does
filters      price, quantity and notional rules
rate_limits  fixed windows of weight and of unfilled orders
accounts     one account: balances, locks, fees
orders       one order and the shapes in which the venue tells of it
desk         places, cancels and replaces the account's orders on the markets
simulated    a market made by matching and ten traders
recording    a recording on disk: its lines, its symbol, the tick and lot that fit it
replay       a market made from a recording
feed         one symbol's market streams, encoded once per event
connection   one WebSocket client: pings, message assembly, limits
streams      topics, subscribers, and the stream connections
methods      what a request may ask for, the same for WebSocket API and REST
replacing    cancel and replace
user_stream  who listens to the account's events
ws_api       WebSocket API connections
request_log  the requests as they came, for an audit
rest         the REST side
server       listeners, timers, the report
"""
