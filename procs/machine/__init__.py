"""The computer: what it is, what the doctor finds, how hot threads are scheduled.

kernel_counts  what the kernel counts for one CPU and one thread: interrupts, time stolen, time
               spent waiting
jitter         the jitter audit of the CPUs: what a thread that always wants to run loses, and to
               what
facts          what a machine says of itself, as the checks of ``vortexctl doctor`` read it
findings       what a check saw, what it makes of it for a profile, and how it is judged
checks_cpus    the checks of ``vortexctl doctor`` that ask whose the engine's CPUs are, and how
               fast they wake
throttle       whether the kernel stops real-time threads for a part of each second, and how to be
               rid of it
checks_system  the checks of ``vortexctl doctor`` of clocks, memory, the kernel's settings,
               network and disk
doctor         ``vortexctl doctor``: the table of checks, and what mends what they find
scheduling     the real-time scheduler for hot threads that share a CPU: they come to run in a
               tick's order
"""
