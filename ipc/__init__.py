"""Memory, order and time, shared by processes.  Knows nothing of markets.

compiled    the one way a function is compiled; its cache is named after the sources
types       names of the array types in signatures
layout      a shared record, declared once
atomics     ordered reads and writes of one int64 at an address
memory      a record at an address; bytes and words at an address
clock       nanoseconds from the cycle counter, comparable between processes
segment     named shared memory: create, attach, check, lock, remove
ring        single-producer single-consumer ring of fixed records
cell        the latest value of a record: one writer, many readers
counters    cumulative int64 counters, one writer
histogram   latency histograms in the HDR layout
control     what a process is told and what it says of itself
waiting     what an idle loop does
mailbox     how the two threads of a stage talk
sockets     recv and send from compiled code, with the kernel's receive stamps
errors      what can go wrong with shared memory, drawn as a tree
"""
