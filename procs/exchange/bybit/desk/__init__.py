"""What an account can do at the venue, and how it hears of it.

bybit_rows   the venue's JSON of orders, executions, positions and balances
order_rules  what an order's price, quantity and value must be
wallet_rows  what an account is worth in dollars, and its balances
bybit_desk   an account's desk: creates, amends and cancels its orders, pays its funding
"""
