"""How requests come in and answers go out.

operations          what a request may do with orders: the same for the trade socket and for HTTP
disconnect_watch    orders that are cancelled when an account's connections are gone (DCP)
private_stream      the private topics: who listens to which account, and what is sent
private_connection  one client of the private topics
trade_connection    one client of the trade socket: orders in, acknowledgements out
http_queries        what an account, or anybody, may ask over HTTP
http_routes         the HTTP side: signatures, budgets, answers
"""
