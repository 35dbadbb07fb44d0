"""The levels of one instrument, and when they are true.

book        the level-2 book of one instrument: price levels in one block of memory
agreement   whether what the venue shows elsewhere agrees with the levels of a book
sync        when a book is true: the rules that join a snapshot and the diffs around it
sync_table  the states of a book as a table: what each message does in each state
"""
