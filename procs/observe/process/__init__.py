"""One process from outside: its code, its stacks, its profile.

debugger  gdb on a stage: the only look that stops it, so it says first what that means
flame     a flame graph as one SVG file: width is time, and what stands on top was running
symbols   the names of compiled functions in a running process, read from outside
profile   where a hot thread spends its time: samples by perf, named by the process's own list of
          code
stack     where the threads of a stage are, read from outside: nothing is stopped
"""
