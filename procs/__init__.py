"""The processes and what joins them.

config       the typed configuration file; everything is checked before anything starts
wiring       every ring and table, who writes it and who reads it
placement    which CPU each stage gets, and how it waits
stage        life of a stage: attach, pin, hot thread, main thread, close
ingest       socket bytes to market records
book         market records to the top of the book
strategy     the top of the book to requests
gateway      requests to order bytes, answers to order events
orderflow    what the gateway does with an answer
connections  opening handshakes; descriptors for compiled code
venue_rest   signed requests over HTTP, for the start and for snapshots
supervisor   creates the segments, starts the stages, watches and ends them
view         what a run looks like from outside, read-only
report       the numbers of a run
logs         one log file per process
demo         the exchange, the engine and a status line, for ``make run``
cli          vortexctl
exchange     a local exchange that speaks Binance Spot's protocol
"""
