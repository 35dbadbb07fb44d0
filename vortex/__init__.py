"""Markets: instruments, wire formats, venues, books, strategies, limits, orders, matching.

No socket, shared memory, process or clock: time arrives as a field ``_ns``, so every function here
can be replayed.

codes       every code that a record carries or a compiled function returns
records     every record that crosses a process border, declared once
books       the levels of one instrument, and when they are in sync with the venue
orders      our orders: their table, positions, limits, and the difference to the wanted quotes
deciding    the contract of a strategy file, and the functions that it may call
simulation  a matching engine and simulated traders, for the local exchange
strategies  one file per strategy, here or in the user's own folder
units       decimal text to whole ticks and lots and back: exact and cold
wire        bytes for compiled code: JSON, decimals, WebSocket frames, hashes, signatures
decoding    the parts that every decoder shares
venues      one venue each, found by its name; ``contract`` says what it holds
"""
