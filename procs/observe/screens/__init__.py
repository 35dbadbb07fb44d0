"""The screens of terminals.

ladder       the levels of a book near its touch, with our own orders, read from outside
live         a live screen in a terminal: pages of lines, drawn at an interval
top          the whole pipeline on one screen, from a sample and its rates
stage_pages  the pages of ``vortexctl attach`` for one stage
"""
