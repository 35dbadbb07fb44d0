"""What the venue says and reads: refusals, parameters, the symbols.

exchange_info  what exchangeInfo says of a symbol
errors         a refusal with the venue's code and words
parameters     a request's parameters, read and checked in the venue's order and with the venue's
               words
"""
