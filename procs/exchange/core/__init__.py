"""What the exchange is made of: its clock, symbols, orders and configuration.

certificate      a certificate that the exchange makes for itself, and the authority that vouches
                 for it
errors           a refusal with the venue's code and words
exchange_clock   the exchange's clock: the wall clock, and what a fault has put it wrong by
exchange_config  what may be configured of the local exchange
instrument       one symbol: its units, its numbers as the venue writes them, its exchangeInfo row
exchange_order   one order of an account, and its fills
parameters       a request's parameters, read and checked in the venue's order and with the
                 venue's words
tape             the last trades of one symbol, for those who ask instead of listening
"""
