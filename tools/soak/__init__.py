"""Lets an engine trade for long at many times the normal rate, and looks for what grows."""
