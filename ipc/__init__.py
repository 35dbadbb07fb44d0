"""Memory, order and time, shared by processes.  Knows nothing of markets.

atomics    ordered reads and writes of one int64 at an address
compiled   the one way this project compiles a function
cell       the latest value of a record: one writer, many readers, never a wait for the writer
errors     what can go wrong with shared memory
layout     declare a shared record once
control    what a process is told, and what it says of itself
counters   cumulative int64 counters: one writer, readers take differences, nobody resets
types      names for the types that cross function boundaries
histogram  latency histograms in the layout of HdrHistogram: two significant digits, up to 137 s
memory     a record at an address
plugs      functions that a loop calls by their address
clock      nanoseconds from the cycle counter, comparable between processes
ring       a single-producer single-consumer ring of fixed records, in compiled code
log        a log that compiled code writes: one record of 64 bytes an event, its text elsewhere
mailbox    how the two threads of a stage talk: two small rings in the process's own memory
segment    named POSIX shared memory: create, check, map, lock, remove
shared     the two things that a segment can hold: a ring, or a table of records
sockets    recv and send from compiled code, with the kernel's receive stamps
tls        TLS from compiled code: OpenSSL between two memory BIOs, the socket stays ours
usage      what the kernel counts for this thread: time on a CPU, switches, page faults
gaps       the time in which a thread that always wants to run is not run
waiting    what an idle loop does
meter      a loop that measures itself: when its CPU was away, and which of its turns took long
"""
