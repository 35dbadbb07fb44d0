"""What a strategy file must hold, and what it may call.

sight          what a strategy sees: the records behind the accessors
seeing         what a strategy may ask of its view: levels, trades, own orders, other instruments
sight_writers  how what a strategy sees is kept up to date
contract       what a strategy file must hold, and what it is given
signals        what strategies like to know of a touch: small functions, and the only floats on the
               way
"""
