"""The names of each stage's counters and rings, for observers."""

from enum import IntEnum

from ipc.layout import Layout
from procs.plan import wiring
from procs.plan.wiring import RingLink, Wiring, kind_of
from procs.stages import book_stage
from procs.stages.gateway import context
from procs.stages.ingest import ingest_stage
from procs.stages.strategy_inputs import StrategyCounter
from vortex.codes import Refusal, Reject
from vortex.records import ORDER_EVENT, REQUEST, TOP

#: Counters of each stage by its kind; ingest stages may have other names.
COUNTERS: dict[str, type[IntEnum]] = {
    "ingest": ingest_stage.IngestCounter,
    wiring.BOOK: book_stage.BookCounter,
    wiring.STRATEGY: StrategyCounter,
    wiring.GATEWAY: context.GatewayCounter,
}

LATENCIES: dict[str, tuple[str, ...]] = {
    "ingest": wiring.INGEST_LATENCIES,
    wiring.BOOK: wiring.BOOK_LATENCIES,
    wiring.STRATEGY: wiring.STRATEGY_LATENCIES,
    wiring.GATEWAY: wiring.GATEWAY_LATENCIES,
}


def counter_names(role: str) -> dict[int, str]:
    """Return the name of each counter of a stage by its number, in lower case."""
    kind = kind_of(role)
    names = {int(counter): counter.name.lower() for counter in COUNTERS[kind]}
    if kind == "ingest":
        for refusal in Refusal:
            names[ingest_stage.REFUSAL_BASE - refusal] = f"refused_{refusal.name.lower()}"
    if kind == wiring.GATEWAY:
        for reason in Reject:
            if reason != Reject.NONE:
                names[context.REJECT_BASE + reason] = f"reject_{reason.name.lower()}"
    return names


def lost_counter(link: RingLink) -> tuple[str, str] | None:
    """Return the (role, counter) of records that a ring's writer dropped; None if it never does."""
    if kind_of(link.writer) == "ingest":
        return link.writer, "dropped"
    return (link.writer, "events_lost") if carries(link, ORDER_EVENT) else None


def wait_counter(link: RingLink) -> tuple[str, str] | None:
    """Return the (role, counter) of the times that a ring's writer found it full."""
    if kind_of(link.writer) == "ingest":
        return link.writer, "stalls"
    counters = {"tops_full": TOP, "requests_full": REQUEST, "events_lost": ORDER_EVENT}
    found = (name for name, layout in counters.items() if carries(link, layout))
    return next(((link.writer, name) for name in found), None)


def carries(link: RingLink, layout: Layout) -> bool:
    """Return whether a ring is one for records of ``layout``."""
    return link.spec.layouts[0] is layout


def ring_names(wired: Wiring, role: str) -> list[str]:
    """Return the rings that a stage reads or writes, in the order of the wiring."""
    return [name for name, link in wired.links.items() if role in (link.writer, link.reader)]
