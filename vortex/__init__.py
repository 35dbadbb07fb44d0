"""Markets: instruments, wire formats, venues, books, strategies, limits, orders, matching.

No socket, shared memory, process or clock: time arrives as a field ``_ns``, so every function here
can be replayed.

codes       every code that a record carries or a compiled function returns
records     every record that crosses a process border, declared once
books       the levels of one instrument, and when they are true
orders      our orders: their table, what they add up to, what is refused, what is wanted
deciding    what a strategy file is held to, and what it may call
simulation  a matching engine and simulated traders, for the local exchange
strategies  one strategy a file, here or anywhere else
units       decimal text to whole ticks and lots and back: exact, cold, the rounding in the name
wire        bytes as compiled code reads and writes them
decoding    what every decoder needs
venues      one venue a file, found by its name
"""
