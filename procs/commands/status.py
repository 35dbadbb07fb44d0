"""``vortexctl status``: what runs where, and in which state."""

import sys
import time
from typing import Any

import click

from procs.commands.common import (
    EXIT_FAILED,
    EXIT_NOT_RUNNING,
    echo_json,
    instance_option,
    output_option,
)
from procs.observe.events import log_writer
from procs.observe.samples import report
from procs.observe.samples.view import RunView, open_view
from procs.plan.instance import Mark, NotReady, NotRunning, OtherVersion
from procs.supervision.control.control_socket import ListStages, NoAnswer, ask
from vortex.units import format_e8

STATUS_SCHEMA = 1
WATCH_S = 1.0


@click.command("status")
@instance_option
@output_option
@click.option("-w", "--watch", is_flag=True, help="Repeat every second; end with Ctrl-C.")
def command(name: str, output: str, watch: bool) -> None:
    """Show what runs where, and its state; exit 0 when ready, 1 when not, 3 when not running."""
    while True:
        facts = look(name)
        if output == "json":
            echo_json({key: fact for key, fact in facts.items() if key != "note"})
        else:
            if watch and sys.stdout.isatty():
                click.clear()
            click.echo("\n".join(status_lines(facts)))
        if not watch:
            break
        time.sleep(WATCH_S)
    if not facts["running"]:
        sys.exit(EXIT_NOT_RUNNING)
    sys.exit(0 if facts["ready"] else EXIT_FAILED)


def look(name: str) -> dict[str, Any]:
    """Return the current status of an instance."""
    try:
        view, mark = open_view(name)
    except NotRunning as error:
        return {"schema": STATUS_SCHEMA, "running": False, "note": str(error)}
    except (NotReady, OtherVersion) as error:
        return {"schema": STATUS_SCHEMA, "running": True, "ready": False, "note": str(error)}
    try:
        return status_facts(view, mark)
    finally:
        view.close()


def status_facts(view: RunView, mark: Mark) -> dict[str, Any]:
    """Return the facts that ``status`` shows."""
    stages = {}
    try:
        supervised = ask(view.config.instance, ListStages()).stages
    except NoAnswer:
        supervised = {}
    for role, place in view.placement().items():
        beat_ms = round(view.heartbeat_age_ns(role) / 1e6, 3)
        stages[role] = {"state": view.state(role).name.lower(), "heartbeat_ms": beat_ms, **place}
        if role in supervised:
            stages[role]["supervised"] = supervised[role].phase
            stages[role]["restarts"] = supervised[role].restart_count
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
        "log_writer": log_writer_facts(view),
        "balances": balances_of(view),
        "open_orders": view.open_order_count(),
        "report": report.make(view),
    }


def log_writer_facts(view: RunView) -> dict[str, int | None]:
    """Return the pid of the log writer and its position; no pid when none runs."""
    marks = view.records("log_marks")
    return {
        "pid": log_writer.living_pid(view),
        "written": int(marks["written_count"].sum()),
        "lost": int(marks["lost_count"].sum()),
    }


def balances_of(view: RunView) -> dict[str, dict[str, dict[str, str]]]:
    """Return each account's balances, as its venue reported them when its gateway connected."""
    return {
        account.settings.name: {
            row["asset"].decode(): {
                "free": format_e8(int(row["free_e8"])),
                "locked": format_e8(int(row["locked_e8"])),
            }
            for row in view.records(account.named("balances"))
            if row["wall_ns"] != 0
        }
        for account in view.wiring.accounts
    }


def status_lines(facts: dict[str, Any]) -> list[str]:
    """Return a status for people."""
    if "stages" not in facts:
        return [str(facts["note"])]
    ready = "ready" if facts["ready"] else "NOT READY"
    rows = [f"instance {facts['instance']}, run {facts['run_id']}: {ready}", ""]
    rows.append(
        f"{'stage':<12}{'state':<10}{'pid':>8}{'cpu':>5}  "
        f"{'wait':<6}{'heartbeat':>12}{'restarts':>10}"
    )
    for role, stage in facts["stages"].items():
        beat = f"{stage['heartbeat_ms']:.1f} ms"
        rows.append(
            f"{role:<12}{stage['state']:<10}{stage['pid']:>8}{stage['cpu']:>5}  "
            f"{stage['wait']:<6}{beat:>12}{stage.get('restarts', 0):>10}"
        )
    for symbol, book in facts["books"].items():
        state = "in sync" if book["in_sync"] else "NOT IN SYNC"
        rows.append(f"book {symbol}: {state}, update {book['update_id']}")
    waiting = ", ".join(f"{n} {r['waiting']}/{r['capacity']}" for n, r in facts["rings"].items())
    rows.append(f"rings: {waiting}")
    writer = facts["log_writer"]
    by = f"pid {writer['pid']}" if writer["pid"] else "NOT RUNNING"
    rows.append(f"log writer: {by}, {writer['written']} events written, {writer['lost']} lost")
    rows.append(f"open orders: {facts['open_orders']}")
    return [*rows, "", *report.lines(facts["report"])]
