"""Sequences of orders with what a matching engine must make of them, worked out by hand.

Operations are ``add id side price quantity [kind owner mode]``, ``cancel id``, ``reduce id by`` and
``move id price``; a level of the book is its price, its quantity and its number of orders.
"""

import json
from typing import Any

from vortex.simulation.matching_records import Prevention

BASE = [
    ["add", 0, "S", 105, 10], ["add", 1, "S", 105, 20], ["add", 2, "S", 107, 5],
    ["add", 3, "B", 103, 8], ["add", 4, "B", 102, 4], ["add", 5, "B", 102, 6],
    ["add", 6, "B", 100, 50],
]  # fmt: skip
ASKS = [[105, 30, 2], [107, 5, 1]]
BIDS = [[103, 8, 1], [102, 10, 2], [100, 50, 1]]
OWN_BID = ["add", 10, "B", 104, 3, "GTC", 1]

#: name, operations, events of the last, bids and asks afterwards.
CASES: list[tuple[str, list[Any], list[Any] | None, list[Any], list[Any]]] = [
    ("nothing happens", [], None, BIDS, ASKS),
    ("an id twice", [["add", 1, "S", 105, 9]], [["REJ", "DUP"]], BIDS, ASKS),
    ("no quantity", [["add", 10, "B", 100, 0]], [["REJ", "SIZE"]], BIDS, ASKS),
    ("cancel one of two", [["cancel", 4]], [["CXL", 4]],
     [[103, 8, 1], [102, 6, 1], [100, 50, 1]], ASKS),
    ("cancel a whole level", [["cancel", 3]], [["CXL", 8]], BIDS[1:], ASKS),
    ("cancel what is not there", [["cancel", 99]], [["REJ", "UNKNOWN"]], BIDS, ASKS),
    ("cancel twice", [["cancel", 3], ["cancel", 3]], [["REJ", "UNKNOWN"]], BIDS[1:], ASKS),
    ("reduce", [["reduce", 6, 20]], [["RED", 20]], [*BIDS[:2], [100, 30, 1]], ASKS),
    ("reduce to nothing", [["reduce", 6, 50]], [["CXL", 50]], BIDS[:2], ASKS),
    ("reduce by more than there is", [["reduce", 6, 60]], [["CXL", 50]], BIDS[:2], ASKS),
    ("reduce by nothing", [["reduce", 6, 0]], [["REJ", "SIZE"]], BIDS, ASKS),
    ("a reduced order is still the first", [["reduce", 0, 5], ["add", 10, "B", 105, 6, "IOC"]],
     [["T", 0, 105, 5], ["T", 1, 105, 1]], BIDS, [[105, 19, 1], [107, 5, 1]]),
    ("a moved order is the last", [["move", 0, 105], ["add", 10, "B", 105, 25, "IOC"]],
     [["T", 1, 105, 20], ["T", 0, 105, 5]], BIDS, [[105, 5, 1], [107, 5, 1]]),
    ("move to a new price", [["move", 6, 101]], [["REST", 50]], [*BIDS[:2], [101, 50, 1]], ASKS),
    ("move onto the other side", [["move", 3, 105]], [["T", 0, 105, 8]], BIDS[1:],
     [[105, 22, 2], [107, 5, 1]]),
    ("move through the other side", [["move", 6, 107]],
     [["T", 0, 105, 10], ["T", 1, 105, 20], ["T", 2, 107, 5], ["REST", 15]],
     [[107, 15, 1], *BIDS[:2]], []),
    ("move what is not there", [["move", 99, 101]], [["REJ", "UNKNOWN"]], BIDS, ASKS),
    ("immediate, filled", [["add", 10, "B", 105, 10, "IOC"]], [["T", 0, 105, 10]], BIDS,
     [[105, 20, 1], [107, 5, 1]]),
    ("immediate, in part", [["add", 10, "B", 106, 40, "IOC"]],
     [["T", 0, 105, 10], ["T", 1, 105, 20], ["CXL", 10]], BIDS, [[107, 5, 1]]),
    ("immediate, not at all", [["add", 10, "B", 104, 5, "IOC"]], [["CXL", 5]], BIDS, ASKS),
    ("all or nothing: all", [["add", 10, "S", 102, 18, "FOK"]],
     [["T", 3, 103, 8], ["T", 4, 102, 4], ["T", 5, 102, 6]], BIDS[2:], ASKS),
    ("all or nothing: nothing", [["add", 10, "S", 102, 19, "FOK"]], [["REJ", "FOK"]], BIDS, ASKS),
    ("maker only, rests", [["add", 10, "B", 104, 7, "POST"]], [["REST", 7]],
     [[104, 7, 1], *BIDS], ASKS),
    ("maker only, would take", [["add", 10, "B", 105, 7, "POST"]], [["REJ", "POST"]], BIDS, ASKS),
    ("at any price", [["add", 10, "B", None, 40, "IOC"]],
     [["T", 0, 105, 10], ["T", 1, 105, 20], ["T", 2, 107, 5], ["CXL", 5]], BIDS, []),
    ("takes, then rests", [["add", 10, "S", 103, 10]], [["T", 3, 103, 8], ["REST", 2]], BIDS[1:],
     [[103, 2, 1], *ASKS]),
    ("takes two prices, then rests", [["add", 10, "S", 101, 25]],
     [["T", 3, 103, 8], ["T", 4, 102, 4], ["T", 5, 102, 6], ["REST", 7]], BIDS[2:],
     [[101, 7, 1], *ASKS]),
    ("its own order expires", [OWN_BID, ["add", 11, "S", 104, 5, "GTC", 1]],
     [["STP", 10, 3], ["REST", 5]], BIDS, [[104, 5, 1], *ASKS]),
    ("it expires at its own order",
     [OWN_BID, ["add", 11, "S", 104, 5, "GTC", 1, int(Prevention.EXPIRE_TAKER)]],
     [["STP", 11, 5]], [[104, 3, 1], *BIDS], ASKS),
]  # fmt: skip


def sequences() -> str:
    """Return all cases as the published ones are kept."""
    cases = [
        {"name": name, "pre": "BASE", "ops": operations, "expect_last": events,
         "expect_l2": {"bids": bids, "asks": asks}}
        for name, operations, events, bids, asks in CASES
    ]  # fmt: skip
    return json.dumps({"base": BASE, "cases": cases})
