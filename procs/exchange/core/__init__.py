"""What the exchange is made of: its clock, symbols, orders and configuration.

certificate      a certificate that the exchange makes for itself, and the authority that vouches
                 for it
exchange_clock   the exchange's clock: the wall clock, and what a fault has put it wrong by
exchange_config  what may be configured of the local exchange
instrument       one symbol: its units, and its numbers in ticks, lots, 1e-8 and as texts
exchange_order   one order of an account, and its fills
tape             the last trades of one symbol, for those who ask instead of listening
"""
