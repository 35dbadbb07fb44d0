"""Names in the log what a hot loop can only count: faults, halts, losses."""

import logging

from ipc.counters import read_counter


class Notable:
    """Looks at some counters now and then, and logs those that moved."""

    def __init__(self, counters_address: int, names: dict[int, str], log: logging.Logger) -> None:
        self.counters_address = counters_address
        self.names = names
        self.log = log
        self.seen = dict.fromkeys(names, 0)

    def look(self) -> None:
        """Log each counter that moved since the last look."""
        for index, name in self.names.items():
            count = read_counter(self.counters_address, index)
            if count != self.seen[index]:
                self.log.warning("%s: %d more, %d in all", name, count - self.seen[index], count)
                self.seen[index] = count
