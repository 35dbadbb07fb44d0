"""Accounts: balances, orders, fills, limits.

accounts      one account: what is free, what is locked by open orders, what fills cost
filters       the filters of a symbol: price, quantity, notional, number of orders
journal       the exchange's own books, kept whole for an audit: every request, order and fill
              there ever was
order_rows    the shapes in which the venue tells of an order: answers, rows of lists, execution
              reports
rate_limits   fixed windows of request weight and of unfilled orders, on the server's clock
venue         what all accounts share: the markets, the clock, the faults, the journal
ledger        an account's ledger: its orders and fills, and what the user data stream shall say
              of them
account_desk  an account's desk: places, cancels and amends its orders on the markets
desks         the desks of all accounts, by the number under which an account's orders match
"""
