"""Runs an engine for long at many times the normal rate, and looks for growth."""
