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

from ipc import code_cache, control, fingerprints, log, ring
from ipc.cell import read_cell
from ipc.clock import now_ns, wall_offset_ns
from ipc.compiled import cache_missed
from ipc.counters import read_counter
from ipc.mailbox import Letter, Mailbox
from ipc.memory import address_of
from ipc.plugs import Plug
from procs.plan import strategy_files
from procs.plan.config import Config
from procs.plan.launch import read_launch
from procs.stages.base.outliers import WATCH, cause_of, explain


class CompileError(Exception):
    """A stage does not compile; the message says why."""


#: This module, also where it runs as ``__main__``.
MODULE = "procs.supervision.compiling.warm"


def marker(config: Config) -> Path | None:
    """Return the file that says that all of this configuration's machine code is kept."""
    venues = config.venues
    sources = sorted(config.strategy_sources)
    modules = [MODULE, *(f"vortex.venues.{venue}" for venue in venues)]
    modules += [f"vortex.strategies.{name}" for name in sources if not Path(name).is_absolute()]
    keys = [strategy_files.key(source) for source in sources]
    folder = code_cache.folder_named(fingerprints.of_modules(*modules))
    joint = ["joint"] if config.placement.together else []
    return None if folder is None else folder / "-".join(["warm", *joint, *keys, *venues])


def is_warm(config: Config) -> bool:
    """Return whether nothing needs to be compiled for ``config``."""
    path = marker(config)
    return path is not None and path.exists()


#: What is compiled on its own: a stage's loop, or what a venue or a strategy plugs in.
Job = tuple[str, ...]


def jobs(config: Config) -> list[Job]:
    """Return what must be compiled, the longest first."""
    found: list[Job] = [("gateway",), ("ingest",), ("book",), ("strategy",)]
    found += [("market", name) for name in sorted({source.venue for source in config.sources})]
    found += [("orders", name) for name in sorted({each.venue for each in config.accounts})]
    return [*found, *(("decide", source) for source in config.strategy_sources)]


def joint_jobs(config: Config) -> list[Job]:
    """Return the loop over several stages, if one is wanted; it is made of what they cached."""
    return [("joint",)] if config.placement.together else []


def compile_job(job: Job) -> tuple[str, float, bool]:
    """Compile one thing; return its name, the seconds it took and whether it was not cached.

    Raises
    ------
    CompileError
        When the compiler refuses; the message says why.
    """
    started = time.monotonic()
    label = " ".join([job[0], *(Path(name).stem for name in job[1:])])
    try:
        missed = compile_one(job)
    except Exception as error:  # numba also lets a KeyError out, for a field that is not there
        problem = f"{type(error).__name__}: {error}"
        raise CompileError(f"{label} does not compile: {problem}") from error
    return label, time.monotonic() - started, missed


def compile_one(job: Job) -> bool:
    """Compile one thing, or read it from the cache; return whether it was not there."""
    from procs.stages import book_stage, joint, strategy_stage
    from procs.stages.gateway import gateway_stage
    from procs.stages.ingest import ingest_stage

    loops = {"book": book_stage, "gateway": gateway_stage, "ingest": ingest_stage,
             "joint": joint, "strategy": strategy_stage}  # fmt: skip
    match job:
        case ("market", venue):
            plugs = [*ingest_stage.plugs(venue).values()]
        case ("orders", venue):
            plugs = [*gateway_stage.plugs(venue).values()]
        case ("decide", source):
            chosen = strategy_files.load(source)
            plugs = [(chosen.decide, chosen.decide_signature)]
        case _:
            return cache_missed(loops[job[0]].compile_loop())
    # All of them, also after one that was not cached.
    return any([Plug(function, signature).missed_cache for function, signature in plugs])


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
    log.log_event(0, 0, 0, 0, 0)


def warm(config: Config, say: Callable[[str], None]) -> None:
    """Compile what is not in the cache, on all CPUs; ``say`` hears a line per stage.

    Raises
    ------
    CompileError
        When it does not compile, or cannot be kept for the stages.
    """
    if code_cache.CACHE_DIRECTORY is None:
        raise CompileError(code_cache.PROBLEM)
    started = time.monotonic()
    work = jobs(config)
    say(f"compiling {len(work)} parts, once for these sources and this machine ...")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for wave in (work, joint_jobs(config)):  # the joint loop is made of what the others cached
            for done in as_completed([pool.submit(compile_job, job) for job in wave]):
                name, took_s, missed = done.result()
                say(f"  {name}: compiled in {took_s:.0f} s" if missed else f"  {name}: cached")
    exercise_cold_helpers()
    say(f"compiled in {time.monotonic() - started:.0f} s")
    path = marker(config)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    code_cache.prune()


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
