"""Our orders: their table, what they add up to, what is refused, what is wanted.

limits       the requests that the gateway refuses, from any strategy
order_table  the order table and how an order may change
positions    what our fills add up to, in integers
desk_tables  the tables that the order desk works on
order_events  what the desk tells the strategy of a change
desk         the order desk: what becomes of requests and answers, as pure state
quoting      the difference between the quotes that a strategy wants and those that are open
"""
