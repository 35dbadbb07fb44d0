"""What the two Bybit venues share.

trade_identity    ids of trades as 128 bits: a UUID is its bits, a decimal number its value
short_levels      levels of books in the form that the venue sends today, two decimals at once
usual_heads       what market messages begin with in the form that the venue sends today
usual_books       book messages in the form that the venue sends today, key for key
usual_trades      public trades in the form that the venue sends today, key for key
any_envelope      what is around the data of market messages, in any order of keys
any_book          book messages in any form that means the same
any_trades        public trades in any form that means the same
any_form          what a market message is of, in any form that means the same
market_messages   market messages: the form of today first, and whatever means the same
client_ids        our ids: of an order (``orderLinkId``) and of a request (``reqId``)
order_messages    order requests: from REQUEST records to JSON, in compiled code
error_codes       codes for what went wrong, as ``codes.Reject``
answer_fields     fields that replies and rows have in common, from their text
trade_replies     what is replied on the connection of requests: accepted, or refused
private_rows      one row of the private topics ``order`` and ``execution``, as an ANSWER
answer_messages   what is said on the order connections: replies, and private topics
listings          reference data: pages of ``instruments-info`` as rows of the INSTRUMENT table
channels          text frames that open connections and keep them alive
questions         what is asked outside the hot path: signed REST requests of one category
question_replies  what REST replies say, as the rows of the venue contract
category_parts    the parts of the venue contract, for one category: ``linear`` or ``spot``
"""
