"""Accounts: balances, orders, positions, fills, whatever the venue.

accounts      one account: what is free, what is locked by open orders, what fills cost
journal       the exchange's own books, kept whole for an audit: every request, order and fill
              there ever was
venue         what all accounts of a venue share: the markets, the clock, the faults, the journal
spot_money    what an order of a spot market sets aside, and what its fills move
linear_money  positions in perpetuals: direction, entry price, profit, margin and funding
ledger        an account's ledger: its orders and fills, and what they do to its balances
desks         the desks of all accounts, by the number under which an account's orders match
"""
