"""The levels of one instrument, and when they are true."""
