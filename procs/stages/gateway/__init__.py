"""Requests in, order bytes out; answers in, order events out.

account_questions  questions about the account: over a fresh order connection or REST
order_link     the main thread of the gateway: connects, reconciles, asks by REST, renews masking
               keys
context        what the parts of the gateway share: its context, its counters, and how it speaks
               and halts
answers        the gateway's way in: the venue's answers, and what is asked when one does not come
requests       the gateway's way out: a request is checked, entered at its worst, encoded, signed
               and sent
gateway_stage  the gateway stage: requests in, order bytes out
"""
