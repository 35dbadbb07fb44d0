"""One process from outside: its code, its stacks, its profile.

debugger  gdb on a stage: the only observer that stops it, so it first explains the cost
flame     a flame graph as one SVG file: width is time, the top box is the running function
symbols   the names of compiled functions in a running process, read from outside
profile   a profile of a hot thread: samples by perf, named by the process's own list of code
stack     the stacks of a stage's threads, read from outside without stopping it
"""
