"""Records of a ring as they pass.

decode   records as people and programs read them: by their declaration, with the names of their
         codes
tap      a tap on a ring: its records as they pass, read by an observer that nobody waits for
sent     orders as observers see them: every stamp of their way, and what the machine did
         meanwhile
where    ``--where``: which records are meant, as a comparison of their fields
tapping  ``vortexctl attach --tap``: print the records of a ring as they pass
"""
