"""Compile every stage before any starts, in one process, and say how it goes.

``python -m procs.warm LAUNCH_FILE``.  A stage that misses the cache refuses to start, so that no
stage ever compiles while others trade.
"""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ipc import control, ring
from ipc.clock import now_ns, wall_offset_ns
from ipc.compiled import cache_directory
from ipc.mailbox import Letter, Mailbox
from ipc.memory import address_of
from procs.config import Config
from procs.stage import Entry, read_launch
from vortex import strategies


def marker(config: Config) -> Path:
    """Return the file that says that everything for this configuration stands in the cache."""
    venues = {source.venue for source in config.sources} | {config.orders.venue}
    name = "-".join(["warm", config.strategies[0].name, *sorted(venues)])
    return cache_directory() / name


def is_warm(config: Config) -> bool:
    """Return whether nothing needs to be compiled for ``config``."""
    return marker(config).exists()


def entries(config: Config) -> Iterator[tuple[str, Callable[[], Entry]]]:
    """Yield each stage's name and what compiles its loop."""
    from procs import book, gateway, ingest, strategy

    for venue in sorted({source.venue for source in config.sources}):
        yield f"ingest ({venue})", lambda venue=venue: ingest.entry(venue)
    yield "book", book.entry
    name = config.strategies[0].name
    yield f"strategy ({name})", lambda: strategy.entry(strategies.load(name))
    yield f"gateway ({config.orders.venue})", lambda: gateway.entry(config.orders.venue)


def exercise_cold_helpers() -> None:
    """Call the compiled functions that main threads and observers call, so that they are cached."""
    mailbox = Mailbox()
    mailbox.send(Letter(1))
    mailbox.take()
    ring.take_over_reader(mailbox.reader_address)
    ring.observe(mailbox.reader_address, 0, address_of(np.zeros(8, np.int64)))
    ring.take_over_writer(mailbox.writer_address)
    words = np.zeros(64, np.int64)
    address = address_of(words)
    now_ns(address)
    wall_offset_ns(address)
    control.give_order(address, 0)
    control.give_pull(address, 0)
    control.must_stop(address)
    control.beat(address, 0, 0, 0)
    control.heartbeat_ns(address)
    control.set_state(address, 0)
    control.get_state(address)


def warm(config: Config, say: Callable[[str], None]) -> None:
    """Compile what is not in the cache; ``say`` hears a line per stage."""
    exercise_cold_helpers()
    for name, make in entries(config):
        started = time.monotonic()
        say(f"compiling {name} ...")
        missed = make().missed_cache
        took_s = time.monotonic() - started
        say(f"compiled {name} in {took_s:.1f} s" if missed else f"{name} is compiled already")
    marker(config).touch()


def main() -> int:
    """Compile for one launch file, printing progress."""
    launch = read_launch(Path(sys.argv[1]))
    warm(launch.config, lambda line: print(line, flush=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
