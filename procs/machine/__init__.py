"""The computer: its facts, the doctor's checks, the jitter audit, the scheduler.

kernel_counts  the kernel's counts for one CPU and one thread: interrupts, steal, waiting time
jitter         the jitter audit of the CPUs: the time that a spinning thread loses, and the cause
facts          the facts of a machine, for the checks of ``vortexctl doctor``
findings       the result of a check, and how a profile judges it
checks_cpus    the doctor's checks of the engine's CPUs: what else runs there, how fast they wake
throttle       whether the kernel stops real-time threads in each second, and how to lift that
checks_system  the doctor's checks of clocks, memory, kernel settings, network and disk
doctor         ``vortexctl doctor``: the table of checks, and the commands that repair
scheduling     SCHED_FIFO for hot threads that share a CPU: they run in the order of a tick
"""
