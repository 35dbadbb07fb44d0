"""What the pages show, beside the pages themselves.

columns        what is drawn over time: one column a second, the newest ``COLUMN_COUNT`` kept
display_units  ticks, lots and the run's clock as text and time for people
doctor_page    what ``vortexctl doctor`` finds, asked again now and then in a process of its own
logs_tail      the newest lines of all logs and events of a run, in the order in which they were
               seen
machine_page   what the machine does: its CPUs, its interrupts, its load
orders_page    single orders, read from the rings: the slowest of the last minute, and the newest
               events
recent         what was seen of a run in the last so many seconds
"""
