"""The processes of a run, and the rings and tables between them.

A module imports only from those above it in its package's map; ``tests/tidy/test_wings.py`` reads
the maps.

exchange      a local exchange that speaks its venues' protocols: `python -m procs.exchange`
plan          the plan of a run: configuration, wiring, placement, secrets
connections   one connection to a venue: its handshake, its bytes, its upkeep
logs          files of lines: the logs of processes and the events of a run
machine       the computer: its facts, the doctor's checks, the jitter audit, the scheduler
stages        the hot loops and their main threads
observe       observers of a run: samples, screens, taps and profiles; all of it is cold
debug         a stage as plain Python under a debugger: in place, as a shadow, or from a recording
supervision   starts a run, watches it and ends it
dashboard     the web dashboard: a side process that reads a run and shows it in a browser
commands      one module per command of vortexctl, each imported only when it is called
cli           vortexctl: start, inspect and stop an instance
recorded_run  what a run on a recording takes from its configuration, and what from the recording
demo          all in one command: a local exchange, the engine on it, one status line a second
"""
