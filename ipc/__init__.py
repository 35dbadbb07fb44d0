"""Memory, order and time, shared by processes.  Knows nothing of markets.

fingerprints  the fingerprint of a file and all its imports
code_cache    the folders that keep machine code between processes: one per fingerprint
dispatcher    numba's dispatcher; LLVM optimises once, at the entry points
bounds        what memory plain Python may touch: a bounds check for functions as written
atomics       ordered reads and writes of one int64 at an address
compiled      the one way this project compiles a function
cell          the latest value of a record: one writer, many readers, and the writer never waits
errors        the errors of shared memory
layout        declare a shared record once
control       the command page and the status page of one stage
counters      cumulative int64 counters: one writer, readers take differences, no resets
types         names for the types that cross function boundaries
histogram     latency histograms in the layout of HdrHistogram: two significant digits, up to 137 s
memory        a record at an address
plugs         functions that a loop calls by their address
intake        all that a loop took from outside, in order, to be taken again
clock         nanoseconds from the cycle counter, comparable between processes
ring          a single-producer single-consumer ring of fixed records, in compiled code
log           a log for compiled code: one 64-byte record per event; the text is in the catalogue
mailbox       messages between the two threads of a stage: two small rings in private memory
segment       named POSIX shared memory: create, check, map, lock, remove
shared        the two contents of a segment: a ring, or a table of records
sockets       recv and send from compiled code, with the kernel's receive stamps
pipes         a peer in memory: bytes in and out of a connection without a socket
tls           TLS from compiled code: OpenSSL between two memory BIOs; the socket stays ours
usage         the kernel's counts for this thread: CPU time, switches, page faults
gaps          the gaps in the running time of a thread that spins
waiting       the wait of an idle loop
meter         a loop that measures itself: when it lost its CPU, and which iterations were slow
"""
