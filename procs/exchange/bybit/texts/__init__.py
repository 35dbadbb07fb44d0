"""What the venue says and reads: refusals, numbers, ids, keys, budgets, requests.

bybit_refusals  a refusal with the venue's code and words
number_texts    prices and quantities as the venue writes them, spot stripped and linear padded
public_ids      ids of orders and executions: UUIDs of perpetuals, decimal texts of spot
secret_keys     who asks: signatures of sockets and of HTTP requests, and their freshness
budgets         budgets of a rolling window, and the headers that report them
order_requests  what a request to create or amend an order says, read and checked
"""
