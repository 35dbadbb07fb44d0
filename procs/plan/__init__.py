"""What a run is to be, before anything runs.

errors          what can be wrong before anything runs
instance        where an instance keeps what is not shared memory: its lock, its run folder, its
                launch files
run_records     records that a run keeps about itself: what is gathered, steps, slow orders, marks
                of the log
strategy_files  strategies by name or by file: those of the package, and the user's own, wherever
                they lie
config          the configuration file: TOML, read by msgspec
credentials     the key of the venue's account: where it comes from, and how it is kept from being
                seen
launch          what the supervisor hands to a stage, as one file
wiring          THE wiring: every ring and table, its records, its one writer and its readers
placement       which process and which CPU each stage gets, and how it waits there
"""
