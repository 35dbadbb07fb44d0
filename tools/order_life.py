"""Prints ``docs/order_life.md`` from the table that the desk uses."""

from vortex.codes import Kind, OrderState
from vortex.orders.order_table import LIFE, Change

HEAD = """# Life of an order

Printed from `LIFE` in `vortex/orders/order_table.py` by `python -m tools.documents`.

An order is a pair: its state, and the unanswered request about it.  SENT, UNKNOWN and RESTING
orders are open, or may be: they count at their worst in every limit.  A change that is not here is
not believed: the gateway queries the status of the order.

An order that the venue has *accepted* stays SENT, its request answered, until the venue says on its
private stream that the order rests.  A fill of an order that is over adds to the position alone.
"""


def pair_text(state: OrderState, request_kind: int) -> str:
    """Return a state and the request about it, as ``RESTING + CANCEL``."""
    return state.name + (f" + {Kind(request_kind).name}" if request_kind else "")


def pair_name(state: OrderState, request_kind: int) -> str:
    """Return a name for a pair that the language of the diagram takes."""
    return pair_text(state, request_kind).replace(" + ", "_")


def arrows() -> list[str]:
    """Return the arrows of the diagram: one for all causes that lead from one pair to another."""
    causes: dict[tuple[str, str], list[str]] = {}
    for change in LIFE:
        before = pair_name(change.state, change.request_kind)
        after = pair_name(change.next_state, change.next_request_kind)
        if before != after:
            causes.setdefault((before, after), []).append(change.cause.name)
    return [f"    {before} --> {after} : {', '.join(c)}" for (before, after), c in causes.items()]


def row_text(change: Change) -> str:
    """Return one row of the table."""
    before = pair_text(change.state, change.request_kind)
    after = pair_text(change.next_state, change.next_request_kind)
    return f"| {before} | {change.cause.name} | {after} |"


def text() -> str:
    """Return the document."""
    table = ["| order | cause | becomes |", "|---|---|---|", *map(row_text, LIFE)]
    return "\n".join([HEAD, "```mermaid", "stateDiagram-v2", *arrows(), "```", "", *table, ""])
