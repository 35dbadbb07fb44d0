"""The processes and what joins them.

config       the typed configuration file; everything is checked before anything starts
wiring       every ring and table, who writes it and who reads it
placement    which process and which CPU each stage gets, and how it waits
stage        what a stage is attached to, and what its loop is given
locked       pages that stay in memory
running      the life of a process: hot thread, main thread, end
run_stage    the process of one stage or several, from the command line
joint        several stages in one loop
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
debug        a stage under the debugger, in place, in the shadow, or recorded
supervisor   creates the segments, starts the stages, watches and ends them
loans        a stage in the hands of another process
warm         compiles everything before any stage starts
instance     the lock and the folders of an instance
orphans      what a dead supervisor left: adopted, or ended
hearers      who hears how the supervisor fares
archive      what a run leaves behind, as files
view         what a run looks like from outside, read-only
report       the numbers of a run
log_events   every event that a hot loop may tell
log_keeper   keeps the process of the log writer
log_writer   the process that writes what the loops told
logs         one log file per process
log_file     one file of lines, rotated by size
log_lines    the lines of all logs of a run, in one stream
demo         the exchange, the engine and a status line, for ``make run``
cli          vortexctl
exchange     a local exchange that speaks Binance Spot's protocol
"""
