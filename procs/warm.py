"""Compile every stage before any starts, in one process, and say how it goes.

``python -m procs.warm LAUNCH_FILE``.  A stage that misses the cache refuses to start, so that no
stage ever compiles while others trade.
"""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ipc.compiled import cache_directory, cache_missed
from procs.config import Config
from procs.stage import read_launch
from vortex import strategies


def marker(config: Config) -> Path:
    """Return the file that says that everything for this configuration stands in the cache."""
    venues = {source.venue for source in config.sources} | {config.orders.venue}
    name = "-".join(["warm", config.strategies[0].name, *sorted(venues)])
    return cache_directory() / name


def is_warm(config: Config) -> bool:
    """Return whether nothing needs to be compiled for ``config``."""
    return marker(config).exists()


def entries(config: Config) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield each stage's name and what compiles its loop."""
    from procs import book, gateway, ingest, strategy

    for venue in sorted({source.venue for source in config.sources}):
        yield f"ingest ({venue})", lambda venue=venue: ingest.entry(venue)
    yield "book", book.entry
    name = config.strategies[0].name
    yield f"strategy ({name})", lambda: strategy.entry(strategies.load(name))
    yield f"gateway ({config.orders.venue})", lambda: gateway.entry(config.orders.venue)


def warm(config: Config, say: Callable[[str], None]) -> None:
    """Compile what is not in the cache; ``say`` hears a line per stage."""
    for name, make in entries(config):
        started = time.monotonic()
        say(f"compiling {name} ...")
        missed = cache_missed(make())
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
