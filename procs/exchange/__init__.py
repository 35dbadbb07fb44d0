"""A local exchange that speaks Binance Spot's protocol: `python -m procs.exchange`.

It shares no codec with the engine: picows frames the WebSockets, aiohttp serves REST, msgspec
reads and writes JSON.  The market is ten simulated traders, or a recording.

config       what may be configured
clock        the time that the exchange believes in
instrument   one symbol: ticks, lots, texts, its exchangeInfo row
errors       a refusal with the venue's code and words
signatures   who asks, and whether the request is fresh
parameters   a request's parameters, read and checked as the venue does
filters      price, quantity and notional rules
rate_limits  fixed windows of weight and of unfilled orders
accounts     one account: balances, locks, fees
orders       one order and its fills
order_rows   the shapes in which the venue tells of an order
ledger       an account's orders and fills, and what its user data stream shall say
desk         places, cancels and amends an account's orders on the markets
replacing    cancel and replace
venue        what all accounts share: markets, clock, faults, journal
simulated    a market made by matching and ten traders
recording    a recording on disk: its lines, its symbol, the tick and lot that fit it
replay       a market made from a recording
tape         the last trades of one symbol
feed         one symbol's market streams, encoded once per event
sbe_feed     the same in binary
connection   one WebSocket client: pings, message assembly, limits, its end
streams      topics, subscribers, and the stream connections
methods      what a request may ask for, the same for WebSocket API and REST
market_data  the methods that anybody may call
trading      the methods that change orders
queries      the methods that ask about an account
user_stream  who listens to which account's events
api_session  what a WebSocket API connection remembers: logon and subscriptions
ws_api       WebSocket API connections
rest         the REST side
request_log  the requests as they came, for an audit
faults       what can go wrong on demand, each declared once
disguise     the same message in another dress
arming       which faults are in force, and whether one strikes now
journal      every order request, order and fill, for an audit
control      the routes of our own: faults and audit
exchange     accounts and markets put together, and the report
server       listeners and timers
"""
