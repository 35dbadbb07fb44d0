"""What an account can do at the venue, and how it hears of it.

bybit_rows  the venue's JSON of orders, executions, positions and balances
bybit_desk  an account's desk: creates, amends and cancels its orders, pays its funding
"""
