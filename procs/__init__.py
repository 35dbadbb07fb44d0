"""The processes and what joins them.

config       the typed configuration file; everything is checked before anything starts
wiring       every ring and table, who writes it and who reads it
placement    which CPU each stage gets, and how it waits
stage        life of a stage: attach, pin, hot thread, main thread, close
run_stage    one stage's process from the command line
ingest       socket bytes to market records
book         market records to the top of the book
strategy     the top of the book to requests
gateway      requests to order bytes, answers to order events: the loop; its parts are
             gateway_requests, gateway_answers and gateway_context
connection   one WebSocket as compiled code sees it: buffers in, buffers out
handshake    opening handshakes; descriptors for compiled code
feed         the main thread of ingest: connects, fetches snapshots
order_link   the main thread of the gateway: connects, reconciles
http         requests over HTTP
reference    instruments, and our limits in their ticks and lots
supervisor   creates the segments, starts the stages, watches and ends them
warm         compiles everything before any stage starts
instance     the lock and the folders of an instance
orphans      ending what a dead supervisor left
archive      what a run leaves behind, as files
view         what a run looks like from outside, read-only
report       the numbers of a run
notable      names in the log what a hot loop can only count
logs         one log file per process
demo         the exchange, the engine and a status line, for ``make run``
cli          vortexctl
exchange     a local exchange that speaks Binance Spot's protocol
"""
