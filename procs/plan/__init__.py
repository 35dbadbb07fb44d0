"""The plan of a run: configuration, wiring, placement, secrets.

errors          the errors that can arise before anything runs
instance        the files of an instance: its lock, its run folder, its launch files
run_records     the records that a run keeps about itself: steps, slow orders, marks of the log
strategy_files  strategies by name or by file: those of the package, and the user's own
config          the configuration file: TOML, read by msgspec
credentials     the key of the venue's account: where it comes from, and how it stays secret
launch          the launch file: what the supervisor hands to a stage
wiring          THE wiring: every ring and table, its records, its one writer and its readers
placement       the process and the CPU of each stage, and its wait mode
"""
