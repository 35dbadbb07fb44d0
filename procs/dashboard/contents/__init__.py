"""The parts of the pages' content.

columns        the series of the charts: one column a second, the newest ``COLUMN_COUNT`` kept
display_units  ticks, lots and the run's clock as text and time for people
doctor_page    the findings of ``vortexctl doctor``, renewed at times by a separate process
logs_tail      the newest lines of all logs and events of a run, in the order of arrival
machine_page   the load of the machine: its CPUs, its interrupts, its waiting tasks
orders_page    single orders, from the rings: the slowest of the last minute, the newest events
recent         the samples of the last seconds
"""
