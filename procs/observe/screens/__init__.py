"""What terminals show.

ladder       the levels of a book near its touch, with what of it is ours, read from outside
live         a live screen in a terminal: pages of lines, drawn again and again
top          the whole pipeline on one screen: a pure function of a sample and its rates
stage_pages  what ``vortexctl attach`` shows of one stage, page by page
"""
