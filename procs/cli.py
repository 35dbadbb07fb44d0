"""vortexctl: start, look at and stop an instance.

Exit status as the LSB has it: 0 done, 1 failed, 2 wrong usage, 3 not running (``status``).
"""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec

from ipc.errors import SharedMemoryError
from procs import instance, logs, orphans, report
from procs.config import ConfigError, credentials, load
from procs.instance import Mark, NotReady, NotRunning
from procs.view import View

STATUS_SCHEMA = 1
EXIT_FAILED, EXIT_NOT_RUNNING = 1, 3
STOP_WAIT_S = 60.0

instance_option = click.option(
    "-n", "--instance", "name", default="vortex", show_default=True, help="Which instance."
)


def fail(message: str, status: int = EXIT_FAILED) -> NoReturn:
    """Print one message on standard error and exit."""
    click.echo(f"vortexctl: {message}", err=True)
    sys.exit(status)


@click.group()
@click.version_option(package_name="vortex-mm")
def main() -> None:
    """Run the Vortex market-making engine."""
    if not __debug__:
        fail("python -O strips the checks that keep orders safe; run without -O", 2)


@main.command()
@click.option(
    "-c", "--config", "config_path", required=True,
    type=click.Path(dir_okay=False, path_type=Path), help="The configuration file (TOML).",
)  # fmt: skip
def start(config_path: Path) -> None:
    """Start an instance; return when every stage is ready and every book in sync."""
    try:
        config = load(config_path)
        credentials(config)
    except ConfigError as error:
        fail(str(error))
    if instance.is_up(config.instance):
        fail(
            f"instance {config.instance!r} is up already; "
            f"`vortexctl status -n {config.instance}` shows it"
        )
    command = [sys.executable, "-m", "procs.supervisor", str(config_path.resolve())]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        sys.exit(follow_start(process))
    except KeyboardInterrupt:
        process.send_signal(signal.SIGTERM)
        process.wait()
        fail("interrupted; nothing was left running")


def follow_start(process: "subprocess.Popen[str]") -> int:
    """Pass on what the supervisor says until it is ready or has failed; return the exit status."""
    assert process.stdout is not None
    for line in process.stdout:
        word, _, rest = line.rstrip("\n").partition(" ")
        if word == "READY":
            click.echo(f"trading; logs and report in {rest}")
            return 0
        if word == "FAILED":
            click.echo(f"vortexctl: {rest}", err=True)
            for more in process.stdout:
                click.echo(more.rstrip("\n"), err=True)
            process.wait()
            return EXIT_FAILED
        click.echo(line.rstrip("\n"))
    process.wait()
    click.echo(f"vortexctl: the supervisor ended with status {process.returncode}", err=True)
    return EXIT_FAILED


@main.command()
@instance_option
def stop(name: str) -> None:
    """Pull all quotes, end the stages, and leave nothing behind."""
    mark = instance.read_mark(name)
    if not instance.is_up(name):
        removed = orphans.end(name, mark, click.echo)
        if not removed:
            click.echo(f"instance {name!r} is not running")
        return
    if mark is None:
        fail(f"instance {name!r} is just starting or ending; try again")
    end_supervisor(mark)
    deadline = time.monotonic() + STOP_WAIT_S
    while instance.is_up(name):
        if time.monotonic() > deadline:
            fail(f"pid {mark.pid} does not end; see the log in {mark.run_folder}")
        time.sleep(0.02)
    click.echo(f"stopped; report in {mark.run_folder}/report.json")


def end_supervisor(mark: Mark) -> None:
    """Ask the supervisor to stop; by descriptor, so that a reused pid is never hit."""
    try:
        fd = os.pidfd_open(mark.pid)
    except ProcessLookupError:
        return
    try:
        if instance.is_up_by(mark):
            signal.pidfd_send_signal(fd, signal.SIGTERM)
    except ProcessLookupError:
        pass
    finally:
        os.close(fd)


def open_view(name: str) -> tuple[View, Mark]:
    """Attach to a running instance.

    Raises
    ------
    NotRunning
        When it is not up.
    NotReady
        When it is up, but not everything of it is there yet, or any more.
    """
    mark = instance.read_mark(name)
    if mark is None or not instance.is_up(name):
        raise NotRunning(f"instance {name!r} is not running")
    try:
        return View.of_run(Path(mark.run_folder)), mark
    except (OSError, SharedMemoryError) as error:
        raise NotReady(f"instance {name!r} is just starting or ending; try again") from error


@main.command()
@instance_option
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table")
def status(name: str, output: str) -> None:
    """Show what runs where, and how it goes; exit 0 when ready, 1 when not, 3 when not running."""
    try:
        view, mark = open_view(name)
    except NotRunning as error:
        if output == "json":
            click.echo(msgspec.json.encode({"schema": STATUS_SCHEMA, "running": False}))
        else:
            click.echo(str(error))
        sys.exit(EXIT_NOT_RUNNING)
    except NotReady as error:
        if output == "json":
            facts = {"schema": STATUS_SCHEMA, "running": True, "ready": False}
            click.echo(msgspec.json.encode(facts))
        else:
            click.echo(str(error))
        sys.exit(EXIT_FAILED)
    facts = status_facts(view, mark)
    if output == "json":
        click.echo(msgspec.json.encode(facts))
    else:
        click.echo("\n".join(status_lines(facts)))
    view.close()
    sys.exit(0 if facts["ready"] else EXIT_FAILED)


def status_facts(view: View, mark: Mark) -> dict[str, Any]:
    """Return what ``status`` tells."""
    stages = {}
    for role, place in view.placement().items():
        beat_ms = round(view.heartbeat_age_ns(role) / 1e6, 3)
        stages[role] = {"state": view.state(role).name.lower(), "heartbeat_ms": beat_ms, **place}
    books = {
        symbol: {"in_sync": bool(touch["is_valid"]), "update_id": int(touch["update_id"])}
        for symbol, touch in zip(view.config.symbols, view.records("touches"), strict=True)
    }
    rings = {
        name: {"waiting": view.backlog(name), "capacity": view.rings[name].spec.capacity_count}
        for name, link in view.wiring.links.items()
        if link.reader is not None
    }
    return {
        "schema": STATUS_SCHEMA,
        "running": True,
        "ready": view.ready(),
        "instance": view.config.instance,
        "run_id": f"{mark.run_id:08x}",
        "run_folder": mark.run_folder,
        "supervisor_pid": mark.pid,
        "stages": stages,
        "books": books,
        "rings": rings,
        "open_orders": int(view.records("positions")["open_order_count"].sum()),
        "report": report.make(view),
    }


def status_lines(facts: dict[str, Any]) -> list[str]:
    """Return a status for people."""
    ready = "ready" if facts["ready"] else "NOT READY"
    rows = [f"instance {facts['instance']}, run {facts['run_id']}: {ready}", ""]
    rows.append(f"{'stage':<12}{'state':<10}{'pid':>8}{'cpu':>5}  {'wait':<6}{'heartbeat':>12}")
    for role, stage in facts["stages"].items():
        beat = f"{stage['heartbeat_ms']:.1f} ms"
        rows.append(
            f"{role:<12}{stage['state']:<10}{stage['pid']:>8}{stage['cpu']:>5}  "
            f"{stage['wait']:<6}{beat:>12}"
        )
    for symbol, book in facts["books"].items():
        state = "in sync" if book["in_sync"] else "NOT IN SYNC"
        rows.append(f"book {symbol}: {state}, update {book['update_id']}")
    waiting = ", ".join(f"{n} {r['waiting']}/{r['capacity']}" for n, r in facts["rings"].items())
    rows.append(f"rings: {waiting}")
    rows.append(f"open orders: {facts['open_orders']}")
    return [*rows, "", *report.lines(facts["report"])]


@main.command(name="logs")
@instance_option
@click.argument("stage", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on as the logs grow; end with Ctrl-C.")
@click.option("-l", "--lines", "line_count", default=20, show_default=True, help="How many.")
def show_logs(name: str, stage: str | None, follow: bool, line_count: int) -> None:
    """Print the last lines of the logs of the running or the last run."""
    mark = instance.read_mark(name)
    if mark is None:
        fail(f"instance {name!r} is not running; logs of ended runs lie in their folders", 3)
    folder = Path(mark.run_folder)
    names = [path.stem for path in sorted((folder / "logs").glob("*.log"))]
    if stage is not None and stage not in names:
        fail(f"no log of {stage!r}; there are {', '.join(names)}", 2)
    chosen = [stage] if stage else names
    offsets = {}
    for each in chosen:
        path = logs.log_path(folder, each)
        for line in logs.last_lines(path, line_count):
            click.echo(f"{each:<10} {line}")
        offsets[each] = path.stat().st_size
    while follow:
        for each in chosen:
            with logs.log_path(folder, each).open(errors="replace") as log:
                log.seek(offsets[each])
                for line in log:
                    click.echo(f"{each:<10} {line.rstrip()}")
                offsets[each] = log.tell()
        select.select([], [], [], 0.2)


if __name__ == "__main__":
    main()
