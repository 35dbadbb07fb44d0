"""What recordings of all venues have in common: their files, their steps, their pace.

recording_lines  the lines of a recording on disk, plain or compressed
recording_owner  which venue a recording is of, or why it cannot be served
number_steps     the steps that the numbers of a recording are multiples of
first_look       what a first look at a recording shows of each symbol
reference_files  what venues' reference data, on disk or in a recording, says of symbols
recorded_rows    the symbols of a recording, as they are configured
pace             plays lines at the pace of a recording, or as fast as the clients take them
"""
