"""What the two Binance Spot venues share.

anchored          binance Spot's market messages in the form that the venue sends today, key for
                  key
market_decoder    binance Spot's market messages, in any form that means the same
request_ids       ids of our orders and requests at the venue, written and read in compiled code
signed_text       the sorted ``key=value&...`` text of a request that is signed
order_encoder     binance Spot's order requests: from REQUEST records to signed JSON, in compiled
                  code
listed_symbols    binance Spot's reference data: the reply to ``exchangeInfo`` as rows of the
                  INSTRUMENT table
market_paths      where Binance Spot's market data is: paths of its streams and of snapshots
account           questions outside the hot path and their replies: the venue contract's ACCOUNT
fields            fields that Binance Spot's replies and reports have in common, from their text
execution_report  what Binance Spot reports by itself: executions and account events
reply             what Binance Spot replies to a request: one order, its two halves, or an error
answer_decoder    what Binance Spot says on the order connection: replies, execution reports,
                  account events
order_entry       how orders go out and answers come in: the venue contract's ORDERS
sbe_schema        where each field of Binance Spot's binary market messages lies: the venue's
                  schema as a table
sbe               binance Spot's binary market messages (SBE): the same records as from its JSON
"""
