"""What goes wrong on demand.

faults    faults on demand: each declared once, bounded by a count or a time
arming    which faults are in force, and whether one strikes now
disguise  the same message in another dress: what JSON and RFC 6455 allow and the venue does not
          do today
"""
