"""What an account can do at the venue, and how it hears of it.

filters       the filters of a symbol: price, quantity, notional, number of orders
order_rows    the venue's JSON of an order: answers, rows of lists, execution reports
account_rows  the venue's JSON of an account's balances
rate_limits   fixed windows of request weight and of unfilled orders, on the server's clock
account_desk  an account's desk: places, cancels and amends its orders on the markets
"""
