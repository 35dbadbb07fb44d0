"""What the two Bybit venues share.

trade_identity   ids of trades as 128 bits: a UUID is its bits, a decimal number its value
short_levels     levels of books in the form that the venue sends today, two decimals at once
usual_heads      what market messages begin with in the form that the venue sends today
usual_books      book messages in the form that the venue sends today, key for key
usual_trades     public trades in the form that the venue sends today, key for key
any_envelope     what is around the data of market messages, in any order of keys
any_book         book messages in any form that means the same
any_trades       public trades in any form that means the same
any_form         what a market message is of, in any form that means the same
market_messages  market messages: the form of today first, and whatever means the same
listings         reference data: pages of ``instruments-info`` as rows of the INSTRUMENT table
"""
