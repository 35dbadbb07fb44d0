"""Formats the events of hot loops: texts of the catalogue, names instead of numbers."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from ipc.log import LOG_DTYPE
from procs.logs import process_log
from procs.logs.hot_events import CATALOGUE
from procs.observe import table_text as text
from procs.plan.config import Config
from procs.stages.gateway.context import Halt
from vortex.codes import Kind, Refusal, Reject, Side


class LoggedEvent(NamedTuple):
    """One event, copied from its ring."""

    at_ns: int  # on the run's clock
    event_id: int
    words: tuple[int, ...]


@dataclass(frozen=True)
class Names:
    """The names of one run's numbers."""

    symbols: list[str]
    sources: list[str]
    tick_e8s: list[int]
    lot_e8s: list[int]

    @classmethod
    def of(cls, config: Config, instruments: Any) -> "Names":
        """Return the names of a run by its configuration and its table of instruments."""
        return cls(
            config.symbols, [source.name for source in config.sources],
            instruments["tick_e8"].tolist(), instruments["lot_e8"].tolist(),
        )  # fmt: skip


def event_of(raw: bytes) -> LoggedEvent:
    """Return a LOG record."""
    record = np.frombuffer(raw, LOG_DTYPE, 1)[0]
    words = tuple(record["words"].tolist())
    return LoggedEvent(int(record["publish_ns"]), int(record["event_id"]), words)


def named(codes: type[IntEnum], value: int) -> str:
    """Return the name of a code in plain words."""
    try:
        return codes(value).name.lower().replace("_", " ")
    except ValueError:
        return str(value)


HALTS = {
    Halt.TOLD: "ordered by the supervisor",
    Halt.DISCONNECTED: "no connection",
    Halt.SILENCE: "a stage is silent",
    Halt.NEW_STRATEGY: "a new strategy",
    Halt.ORPHANED: "the supervisor died",
    Halt.SETTLING: "the run is starting",
}


def halts(reasons: int) -> str:
    """Return the reasons why the gateway takes no orders."""
    return ", ".join(text for reason, text in HALTS.items() if reasons & reason) or str(reasons)


def duration(value_ns: int) -> str:
    """Return a duration in a readable unit."""
    for unit, unit_ns in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if abs(value_ns) >= unit_ns:
            return f"{value_ns / unit_ns:.3g} {unit}"
    return f"{value_ns} ns"


def of_list(names: list[str], index: int) -> str:
    """Return a name by its index."""
    return names[index] if 0 <= index < len(names) else str(index)


def in_units(value: int, units_e8: list[int], instrument_id: int) -> str:
    """Return ticks or lots of one instrument as a decimal number."""
    known = 0 <= instrument_id < len(units_e8) and units_e8[instrument_id] > 0
    return text.units(value, units_e8[instrument_id]) if known else str(value)


#: Formats each kind of word, from its value, the instrument of its event and the run's names.
WORDS: dict[str, Callable[[int, int, Names], str]] = {
    "": lambda value, _, names: str(value),
    "symbol": lambda value, _, names: of_list(names.symbols, value),
    "source": lambda value, _, names: of_list(names.sources, value),
    "price": lambda value, which, names: in_units(value, names.tick_e8s, which),
    "qty": lambda value, which, names: in_units(value, names.lot_e8s, which),
    "side": lambda value, _, names: named(Side, value),
    "order": lambda value, _, names: f"{value:x}",
    "duration": lambda value, _, names: duration(value),
    "kind": lambda value, _, names: named(Kind, value),
    "refusal": lambda value, _, names: named(Refusal, value),
    "reject": lambda value, _, names: named(Reject, value),
    "halts": lambda value, _, names: halts(value),
}


def level_of(event_id: int) -> int:
    """Return the level of an event."""
    event = CATALOGUE.events.get(event_id)
    return event.level if event else logging.WARNING


def text_of(found: LoggedEvent, names: Names) -> str:
    """Return the text of one event; an event outside the catalogue is from another version."""
    event = CATALOGUE.events.get(found.event_id)
    if event is None:
        return f"event {found.event_id:x} of another version: {list(found.words)}"
    which = found.words[event.kinds.index("symbol")] if "symbol" in event.kinds else -1
    shown = [
        WORDS[kind](word, which, names)
        for kind, word in zip(event.kinds, found.words, strict=False)
    ]  # fmt: skip
    return event.line(shown)


def stamp(wall_ns: int) -> str:
    """Return a time in the form of the logs, to the microsecond."""
    second, rest_ns = divmod(wall_ns, 10**9)
    return f"{time.strftime(process_log.DATE_FORMAT, time.localtime(second))}.{rest_ns // 1000:06d}"


def log_line(wall_ns: int, level: int, role: str, message: str) -> str:
    """Return one line in the form of the other logs."""
    return f"{stamp(wall_ns)} {logging.getLevelName(level):<7} {role}: {message}"
