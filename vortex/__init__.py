"""Markets: instruments, wire formats, venues, books, strategies, limits, orders, matching.

No socket, shared memory, process or clock: time arrives as a field ``_ns``, so every function here
can be replayed.

codes        every code that a record carries or a compiled function returns
records      every record that crosses a process border, declared once
units        decimal text to ticks and lots and back, exact, with the rounding in the name
instruments  what a venue says of an instrument, checked to fit 63 bits
scan         compiled readers of JSON bytes
text         compiled writers of ASCII bytes
websocket    RFC 6455 frames as pure bytes
signing      HMAC-SHA256 in compiled code
book         level-2 price levels of one instrument
agreement    whether what the venue shows elsewhere agrees with a book
sync         when a book is true: the rules that join snapshots and diffs
signals      what strategies like to know (the only floats)
orders       the order table and how an order may change
positions    what the fills add up to
limits       what the gateway refuses
quoting      the difference between wanted and standing quotes
matching     a price-time-priority book, for the local exchange; matching_records and
             matching_store hold its records and where it keeps things
random_numbers  the same numbers from the same seed, for simulations
traders      ten simulated traders, for the local exchange
strategies   one strategy a file
venues       one venue a file
"""
