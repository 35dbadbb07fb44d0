"""Compile every stage before any starts, in one place, and say how it goes.

``python -m procs.warm LAUNCH_FILE``.  A stage that misses the cache refuses to start, so that no
stage ever compiles while others trade.
"""

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from ipc import control, ring
from ipc.cell import read_cell
from ipc.clock import now_ns, wall_offset_ns
from ipc.compiled import CACHE_DIRECTORY
from ipc.counters import read_counter
from ipc.mailbox import Letter, Mailbox
from ipc.memory import address_of
from procs.config import Config
from procs.stage import read_launch
from vortex import strategies


def marker(config: Config) -> Path:
    """Return the file that says that everything for this configuration stands in the cache."""
    venues = {source.venue for source in config.sources} | {config.orders.venue}
    name = "-".join(["warm", config.strategies[0].name, *sorted(venues)])
    return CACHE_DIRECTORY / name


def is_warm(config: Config) -> bool:
    """Return whether nothing needs to be compiled for ``config``."""
    return marker(config).exists()


def jobs(config: Config) -> list[tuple[str, str]]:
    """Return what must be compiled as (stage, venue or strategy), the longest first."""
    found = [("gateway", config.orders.venue)]
    found += [("ingest", venue) for venue in sorted({source.venue for source in config.sources})]
    found += [("book", ""), ("strategy", config.strategies[0].name)]
    return found


def compile_job(job: tuple[str, str]) -> tuple[str, float, bool]:
    """Compile one stage; return its name, the seconds it took and whether it was not cached."""
    from procs import book, gateway, ingest, strategy

    stage, name = job
    started = time.monotonic()
    if stage == "gateway":
        entry = gateway.entry(name)
    elif stage == "ingest":
        entry = ingest.entry(name)
    elif stage == "book":
        entry = book.entry()
    else:
        entry = strategy.entry(strategies.load(name))
    return f"{stage} {name}".strip(), time.monotonic() - started, entry.missed_cache


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
    read_counter(address, 0)
    read_cell(address, address + 256, 64)
    control.give_order(address, 0)
    control.give_pull(address, 0)
    control.must_stop(address)
    control.beat(address, 0, 0, 0)
    control.heartbeat_ns(address)
    control.set_state(address, 0)
    control.get_state(address)


def warm(config: Config, say: Callable[[str], None]) -> None:
    """Compile what is not in the cache, on all CPUs; ``say`` hears a line per stage."""
    started = time.monotonic()
    work = jobs(config)
    say(f"compiling {len(work)} stages, once for these sources and this machine ...")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        pending = [pool.submit(compile_job, job) for job in work]
        for done in as_completed(pending):
            name, took_s, missed = done.result()
            say(f"  {name}: compiled in {took_s:.0f} s" if missed else f"  {name}: cached")
    exercise_cold_helpers()
    say(f"compiled in {time.monotonic() - started:.0f} s")
    marker(config).touch()


def main() -> int:
    """Compile for one launch file, printing progress."""
    launch = read_launch(Path(sys.argv[1]))
    warm(launch.config, lambda line: print(line, flush=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
