"""A log for compiled code: one 64-byte record per event; the text is in the catalogue.

An event is declared once, with its text.  A record holds the event's number and up to six integers
that fill the text.  The writer formats nothing.  Readers observe the ring, which wraps, so a slow
or missing reader costs the writer nothing.  The ring is shared memory and outlives its writer: the
events that a process logged before it was killed are still there.

A burst of one event must not bury the others: per window of a second, ``BURST_COUNT`` of each event
are logged.  The rest are counted in ``EVENT_COUNTS``, which observers read in place.

*Source:* the split of text and arguments is NanoLog's (Yang, Park, Ousterhout, USENIX ATC 2018).
"""

import hashlib
import logging
import string
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ipc import ring
from ipc.atomics import load_relaxed, store_relaxed
from ipc.compiled import compiled
from ipc.layout import Field, Layout, reserved
from ipc.memory import record_at

WORD_COUNT = 6
#: The number of an event: these low bits are its place, the bits above are a hash of its text.
PLACE_BITS = 8
EVENT_COUNT_MAX = 1 << PLACE_BITS
HASH_BITS = 31

WINDOW_NS = 1_000_000_000
BURST_COUNT = 20

LOG = Layout(
    "log",
    "One event that a hot loop logged.",
    Field("publish_ns", "i8", "when it happened, by the stamp of the current iteration"),
    Field("event_id", "i8", "number of the event; see log.Catalogue"),
    Field("words", "i8", "integers that fill its text; zero beyond them", (WORD_COUNT,)),
)

EVENT_COUNTS = Layout(
    "event_counts",
    "How often one event was logged; the index is its place in the catalogue.",
    Field("event_id", "i8", "number of the event; 0 when it never happened"),
    Field("written_count", "i8", "records written"),
    Field("suppressed_count", "i8", "records not written, because the window was full"),
    Field("last_ns", "i8", "when it last happened, written or not"),
    Field("window_begin_ns", "i8", "when the window began"),
    Field("window_count", "i8", "records written in it"),
    reserved(16),
)

LOGGER = Layout(
    "logger",
    "The logger of one hot loop; in its own memory.",
    Field("ring_address", "i8", "handle of the ring of LOG records"),
    Field("counts_address", "i8", "table of EVENT_COUNTS"),
    multiple_bytes=8,
)

LOG_DTYPE = LOG.dtype
EVENT_COUNTS_DTYPE = EVENT_COUNTS.dtype
EVENT_COUNTS_BYTES = EVENT_COUNTS.dtype.itemsize
LOGGER_DTYPE = LOGGER.dtype
EVENT_BYTES = EVENT_COUNTS.offset_bytes("event_id")
LAST_BYTES = EVENT_COUNTS.offset_bytes("last_ns")
WRITTEN_BYTES = EVENT_COUNTS.offset_bytes("written_count")
SUPPRESSED_BYTES = EVENT_COUNTS.offset_bytes("suppressed_count")


@dataclass(frozen=True)
class LogEvent:
    """The declaration of an event; ``kinds`` gives the kind of each of its words."""

    number: int
    level: int
    text: str
    kinds: tuple[str, ...]

    def line(self, words: Iterable[str]) -> str:
        """Return the text, filled in with the words."""
        parts = string.Formatter().parse(self.text)
        filled = iter(words)
        return "".join(
            text + (next(filled, "?") if kind is not None else "") for text, kind, _, _ in parts
        )


class Catalogue:
    """The events of a program, by number; one module declares all, so numbers are stable.

    ``kinds`` are the kinds of words that a text may name in braces; ``{}`` is a plain integer.
    """

    def __init__(self, kinds: Collection[str] = ()) -> None:
        self.kinds = {"", *kinds}
        self.events: dict[int, LogEvent] = {}

    def event(self, level: int, text: str) -> int:
        """Declare an event; return its number.

        Raises
        ------
        ValueError
            When the text names an unknown kind or too many words, or was declared before.
        """
        kinds = tuple(kind for _, kind, _, _ in string.Formatter().parse(text) if kind is not None)
        if unknown := set(kinds) - self.kinds:
            raise ValueError(f"{text!r} names words of no known kind: {', '.join(unknown)}")
        if len(kinds) > WORD_COUNT:
            raise ValueError(f"{text!r} has more than {WORD_COUNT} words")
        if any(event.text == text for event in self.events.values()):
            raise ValueError(f"{text!r} is declared twice")
        if len(self.events) == EVENT_COUNT_MAX:
            raise ValueError(f"{text!r} is one more than {EVENT_COUNT_MAX} events")
        number = _hash(text) << PLACE_BITS | len(self.events)
        self.events[number] = LogEvent(number, level, text, kinds)
        return number

    def info(self, text: str) -> int:
        """Declare an event of normal operation."""
        return self.event(logging.INFO, text)

    def warning(self, text: str) -> int:
        """Declare an event that the operator should know about."""
        return self.event(logging.WARNING, text)

    def error(self, text: str) -> int:
        """Declare an event that needs action."""
        return self.event(logging.ERROR, text)


def _hash(text: str) -> int:
    """Return a number for a text, the same in every process; never 0."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") % ((1 << HASH_BITS) - 1) + 1


@compiled
def count_one(address: int) -> None:
    """Add one to a shared word; only its owner calls this."""
    store_relaxed(address, load_relaxed(address) + 1)


@compiled
def admit(counts_address: int, event_id: int, now_ns: int) -> bool:
    """Count an event; return whether to log it: False when its window is full."""
    address = counts_address + (event_id & (EVENT_COUNT_MAX - 1)) * EVENT_COUNTS_BYTES
    counts = record_at(address, EVENT_COUNTS_DTYPE)
    store_relaxed(address + EVENT_BYTES, event_id)
    store_relaxed(address + LAST_BYTES, now_ns)
    if now_ns - counts.window_begin_ns >= WINDOW_NS:
        counts.window_begin_ns = now_ns
        counts.window_count = 0
    if counts.window_count >= BURST_COUNT:
        count_one(address + SUPPRESSED_BYTES)
        return False
    counts.window_count += 1
    count_one(address + WRITTEN_BYTES)
    return True


@compiled
def log_event(
    logger_address: int,
    event_id: int,
    now_ns: int,
    first: int = 0,
    second: int = 0,
    third: int = 0,
    fourth: int = 0,
    fifth: int = 0,
    sixth: int = 0,
) -> None:
    """Log one event; a logger address of 0 logs nothing."""
    if logger_address == 0:
        return
    logger = record_at(logger_address, LOGGER_DTYPE)
    if not admit(logger.counts_address, event_id, now_ns):
        return
    slot_address = ring.claim(logger.ring_address)
    if slot_address == 0:
        return
    record = record_at(slot_address, LOG_DTYPE)
    record.event_id = event_id
    record.words[0] = first
    record.words[1] = second
    record.words[2] = third
    record.words[3] = fourth
    record.words[4] = fifth
    record.words[5] = sixth
    ring.append(logger.ring_address, 1)
    ring.commit(logger.ring_address, now_ns)
