"""Compile every stage before any starts, in one place, and say how it goes.

``python -m procs.supervision.compiling.warm LAUNCH_FILE``.  A stage that misses the cache refuses
to start, so that no stage ever compiles while others trade.
"""

import os
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from ipc import control, log, ring
from ipc.cell import read_cell
from ipc.clock import now_ns, wall_offset_ns
from ipc.compiled import CACHE_DIRECTORY
from ipc.counters import read_counter
from ipc.mailbox import Letter, Mailbox
from ipc.memory import address_of
from procs.plan import strategy_files
from procs.plan.config import Config
from procs.plan.launch import read_launch
from procs.stages.base.outliers import WATCH, cause_of, explain
from procs.stages.base.stage import Entry


class CompileError(Exception):
    """A stage does not compile; the message says why."""


def marker(config: Config) -> Path:
    """Return the file that says that everything for this configuration stands in the cache."""
    venues = {source.venue for source in config.sources} | {config.orders.venue}
    strategy = strategy_files.key(config.strategy_source)
    joint = ["joint"] if config.placement.together else []
    name = "-".join(["warm", *joint, strategy, *sorted(venues)])
    return CACHE_DIRECTORY / name


def is_warm(config: Config) -> bool:
    """Return whether nothing needs to be compiled for ``config``."""
    return marker(config).exists()


#: A stage, and what its loop is made for: venues, a strategy.
Job = tuple[str, ...]


def jobs(config: Config) -> list[Job]:
    """Return the stages that must be compiled, the longest first."""
    found: list[Job] = [("gateway", config.orders.venue)]
    found += [("ingest", venue) for venue in source_venues(config)]
    found += [("book",), ("strategy", config.strategy_source)]
    return found


def joint_jobs(config: Config) -> list[Job]:
    """Return the loops over several stages that must be compiled, once their stages are."""
    if not config.placement.together:
        return []
    return [
        ("joint", venue, config.orders.venue, config.strategy_source)
        for venue in source_venues(config)
    ]


def source_venues(config: Config) -> list[str]:
    """Return the venues of market data."""
    return sorted({source.venue for source in config.sources})


def compile_job(job: Job) -> tuple[str, float, bool]:
    """Compile one stage; return its name, the seconds it took and whether it was not cached.

    Raises
    ------
    CompileError
        When the compiler refuses; the message says why.
    """
    stage, *names = job
    started = time.monotonic()
    label = " ".join([stage, *dict.fromkeys(Path(name).stem for name in names)])
    try:
        entry = compile_stage(job)
    except Exception as error:  # numba also lets a KeyError out, for a field that is not there
        problem = f"{type(error).__name__}: {error}"
        raise CompileError(f"{label} does not compile: {problem}") from error
    return label, time.monotonic() - started, entry.missed_cache


def compile_stage(job: Job) -> Entry:
    """Return the entry of one stage, or of the loop over several."""
    from procs.stages import book_stage, joint
    from procs.stages import strategy_stage as strategy
    from procs.stages.gateway import gateway_stage
    from procs.stages.ingest import ingest_stage

    match job:
        case ("gateway", venue):
            return gateway_stage.entry(venue)
        case ("ingest", venue):
            return ingest_stage.entry(venue)
        case ("strategy", source):
            return strategy.entry(strategy_files.load(source))
        case ("joint", source_venue, order_venue, source):
            return joint.entry(source_venue, order_venue, strategy_files.load(source))
    assert job == ("book",), job
    return book_stage.entry()


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
    control.must_run(address)
    control.beat(address, 0, 0)
    control.heartbeat_ns(address)
    control.set_state(address, 0)
    control.get_state(address)
    explain(address_of(np.zeros(1, WATCH.dtype)), address, address, 0)
    cause_of(address)
    log.tell(0, 0, 0, 0, 0)


def warm(config: Config, say: Callable[[str], None]) -> None:
    """Compile what is not in the cache, on all CPUs; ``say`` hears a line per stage."""
    started = time.monotonic()
    work = jobs(config)
    say(f"compiling {len(work)} stages, once for these sources and this machine ...")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for wave in (work, joint_jobs(config)):  # the joint loop is made of what the others cached
            for done in as_completed([pool.submit(compile_job, job) for job in wave]):
                name, took_s, missed = done.result()
                say(f"  {name}: compiled in {took_s:.0f} s" if missed else f"  {name}: cached")
    exercise_cold_helpers()
    say(f"compiled in {time.monotonic() - started:.0f} s")
    marker(config).touch()


def main() -> int:
    """Compile for one launch file, printing progress."""
    launch = read_launch(Path(sys.argv[1]))
    try:
        warm(launch.config, lambda line: print(line, flush=True))
    except CompileError as error:
        print(error, flush=True)
        traceback.print_exception(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
