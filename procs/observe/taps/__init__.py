"""The records of a ring as they pass.

decode   decodes records for people and programs: fields by name, codes by name
tap      a tap on a ring: an observer that reads records as they pass and delays no stage
sent     the orders that a run sends, with every stamp and the time that the machine took
where    ``--where``: selects records by a comparison of their fields
tapping  ``vortexctl attach --tap``: print the records of a ring as they pass
"""
