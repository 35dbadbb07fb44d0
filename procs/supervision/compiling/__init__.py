"""Compiling everything before any stage starts.

compiler  compiling for the supervisor, in a process of its own that can be ended any time
warm      compile every stage before any starts, in one place, and say how it goes
"""
