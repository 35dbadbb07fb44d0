"""Ordered reads and writes come in pairs that name each other."""

import re
from collections import defaultdict

from sources import ROOT, modules_of

PAIR = re.compile(r"#\s*pairs with:\s*(.+?)\s*$")


def test_each_phrase_is_at_both_ends():
    places = defaultdict(list)
    for floor in ("ipc", "vortex", "procs"):
        for path in modules_of(floor):
            for number, line in enumerate(path.read_text().splitlines(), start=1):
                match = PAIR.search(line)
                if match:
                    phrase = match.group(1).rstrip(".").lower()
                    places[phrase].append(f"{path.relative_to(ROOT)}:{number}")
    lonely = {phrase: found for phrase, found in places.items() if len(found) < 2}
    assert not lonely, "write the same phrase at the other end"
