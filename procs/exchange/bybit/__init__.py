"""Bybit v5's dialect, spot and linear.

texts          what the venue says and reads: refusals, numbers, ids, keys, budgets, requests
desk           what an account can do at the venue, and how it hears of it
topics         market data out: topics, their messages, and the connections of those who listen
recordings     a market made from a recording of the venue's public topics
gates          how requests come in and answers go out
bybit_dialect  Bybit v5 put together: its accounts, topics and gates
"""
