"""The processes and what joins them.

A module imports only from those above it in its package's map; ``tests/tidy/test_wings.py`` reads
the maps.

exchange     a local exchange that speaks Binance Spot's protocol: `python -m procs.exchange`
plan         what a run is to be, before anything runs
connections  one connection to a venue: its handshake, its bytes, its upkeep
logs         files of lines: the logs of processes and the events of a run
machine      the computer: what it is, what the doctor finds, how hot threads are scheduled
stages       the hot loops and their main threads
observe      looking at a run from outside: samples, screens, taps and profiles.  Nothing here is
             hot
debug        a stage as plain Python under a debugger: in place, in the shadow of the real one, or
             recorded
supervision  starts a run, watches it and ends it
dashboard    the web dashboard: a side process that looks at a run read-only and shows it in a
             browser
commands     one module per command of vortexctl, each imported only when it is called
cli          vortexctl: start, look at and stop an instance
demo         the whole thing in one command: a local exchange, the engine on it, one status line a
             second
"""
