"""Soak: an engine that trades for minutes at ten times the normal rate must not grow.

``python -m tools.soak --minutes 10 --seed 1``, the body of ``make soak``.  It exits with 1 when a
rule is broken; Ctrl-C ends it early, and it judges the looks so far.
"""

import json
import os
import re
import signal
import sys
import time
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import msgspec

from procs.demo import Demo
from procs.observe.samples.sample import used_of
from procs.observe.samples.view import open_view
from procs.plan import config as configuration
from procs.plan import instance
from procs.plan.config import Config
from tools import aftermath
from tools.soak import rules
from tools.soak.looks import Look, Watcher
from tools.soak.rules import Row

LOOK_S_MAX = 5.0
LOOK_COUNT = 20
MB = 1e6


class Soak:
    """One exchange, one engine, and the looks at them."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.name = demo.config.instance
        self.looks: list[Look] = []
        self.faults: list[str] = []
        self.pace = 0.0
        self.collections: dict[str, str] = {}

    def market_s(self) -> float:
        """Return how much time has passed in the exchange's market."""
        url = f"{self.demo.config.accounts[0].rest_url}/vortex/status"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return float(json.loads(answer.read())["market_ms"]) / 1e3

    def side_processes(self) -> dict[str, int]:
        """Return the processes that are not the supervisor's, by name."""
        named = {"exchange": self.demo.exchange, "dashboard": self.demo.dashboard}
        return {name: process.pid for name, process in named.items() if process is not None}

    def run(self, seconds: float) -> None:
        """Take looks; then end the engine and check what it leaves."""
        view, mark = open_view(self.name)
        try:
            watcher = Watcher(view, mark, self.side_processes())
            self.watch(watcher, seconds)
            pids = watcher.pids_of_engine()
            self.demo.control("stop", "-n", self.name)
        finally:
            view.close()
        self.faults += aftermath.leftover_faults(self.name, pids)
        self.collections = collections(view.run_folder)
        self.compare(view.run_folder)

    def watch(self, watcher: Watcher, seconds: float) -> None:
        """Take looks for the given time, or until Ctrl-C."""
        every_s = min(LOOK_S_MAX, seconds / LOOK_COUNT)
        started, market_s = time.monotonic(), self.market_s()
        self.demo.is_watching = True
        while not self.demo.interrupted and time.monotonic() - started < seconds:
            if not instance.is_up(self.name):
                self.faults.append("the engine ended by itself; see its logs")
                break
            self.looks.append(watcher.look(time.monotonic() - started))
            print_look(self.looks)
            due = started + len(self.looks) * every_s
            while time.monotonic() < due and not self.demo.interrupted:
                time.sleep(max(min(due - time.monotonic(), 0.2), 0.0))
        self.pace = (self.market_s() - market_s) / (time.monotonic() - started)

    def compare(self, run_folder: Path) -> None:
        """Compare the engine's positions with the exchange's books."""
        orders = aftermath.orders_of_ours(aftermath.audit(self.demo.config.accounts[0].rest_url))
        standing = aftermath.standing_client_ids(orders)
        self.faults += aftermath.order_faults(orders, standing)
        traded = {
            symbol: Decimal(text) for symbol, text in self.demo.stop_exchange()["positions"].items()
        }
        self.faults += aftermath.position_faults(aftermath.final_position(run_folder), traded)


def collections(run_folder: Path) -> dict[str, str]:
    """Return how often the garbage collector ran in each stage, by generation, from the logs."""
    found = {}
    for path in sorted((run_folder / "logs").glob("*.log")):
        said = re.findall(r"garbage collections: (.+)", path.read_text(encoding="utf-8"))
        if said:
            found[path.stem] = said[-1]
    return found


def print_look(looks: list[Look]) -> None:
    """Print a line for each look, on a terminal."""
    if not sys.stdout.isatty():
        return
    look = looks[-1]
    held_mb = sum(held.uss_bytes for held in look.processes.values()) / MB
    click.echo(
        f"\r{look.at_s:>6.0f} s  messages {look.messages:>9}  orders {look.orders:>8}  "
        f"memory {held_mb:.1f} MB  lost {look.lost_count}",
        nl=False,
    )


def lines(soak: Soak, rows: list[Row], speed: float, seed: int) -> list[str]:
    """Return the result for people."""
    first, last = soak.looks[0], soak.looks[-1]
    seconds = max(last.at_s - first.at_s, 1e-9)
    left_out_s = rules.warm_s(last.at_s)
    table = [
        "",
        f"soak: {last.at_s / 60:.1f} min, seed {seed}, {len(soak.looks)} looks; the first "
        f"{left_out_s:.0f} s are warm-up and left out",
        f"market at {soak.pace:.1f} times its normal pace ({speed:g} wanted): "
        f"{(last.messages - first.messages) / seconds:,.0f} messages/s, "
        f"{(last.orders - first.orders) / seconds:,.0f} orders/s",
        "",
        *process_table(soak.looks),
        "",
        f"{'rule':<42}{'bar':>10}  {'':<5}found",
    ]
    words = {True: "ok", False: "FAIL", None: "-"}
    table += [f"{row.what:<42}{row.bar:>10}  {words[row.is_good]:<5}{row.found}" for row in rows]
    if soak.collections:
        counts = "; ".join(f"{stage} {count}" for stage, count in soak.collections.items())
        table.append(f"garbage collections by generation: {counts}")
    if last.at_s < rules.SLOPE_S_MIN:
        table.append(
            f"slope and drift are not judged in less than {rules.SLOPE_S_MIN / 60:.0f} minutes"
        )
    return table


def process_table(all_looks: list[Look]) -> list[str]:
    """Return one line a process: its memory at the end, its growth, its faults."""
    looks = rules.after_warm_up(all_looks)
    table = [
        f"{'process':<12}{'uss':>7}{'pss':>7}{'rss':>7} MB{'uss':>9}{'rss':>9} MB/h"
        f"{'faults hot':>12}{'others':>8}{'fds':>5}{'threads':>9}"
    ]
    for name in looks[0].processes:
        if not all(name in look.processes for look in looks):
            continue
        first, last = looks[0].processes[name], looks[-1].processes[name]
        held = "".join(
            f"{value / MB:>7.1f}" for value in (last.uss_bytes, last.pss_bytes, last.rss_bytes)
        )
        grows = "".join(
            f"{rules.slope_of(looks, name, field) / MB:>+9.2f}"
            for field in ("uss_bytes", "rss_bytes")
        )
        hot = last.hot.minor + last.hot.major - first.hot.minor - first.hot.major
        others = last.others.minor + last.others.major - first.others.minor - first.others.major
        table.append(
            f"{name:<12}{held}   {grows}     {hot:>12}{others:>8}{last.fd_count:>5}"
            f"{last.thread_count:>9}"
        )
    return table


def of_soak(config: Config) -> Config:
    """Return the configuration under a separate instance name."""
    return msgspec.structs.replace(config, instance=f"soak-{os.getpid()}")


def as_json(soak: Soak, rows: list[Row], speed: float, seed: int) -> dict[str, Any]:
    """Return all results."""
    return {
        "schema": 1,
        "seed": seed,
        "speed": speed,
        "pace": soak.pace,
        "rules": [row._asdict() for row in rows],
        "faults": soak.faults,
        "garbage_collections": soak.collections,
        "looks": msgspec.to_builtins(soak.looks, str_keys=True, enc_hook=used_of),
    }


@click.command(help=__doc__)
@click.option("--config", "config_path", default="configs/demo.toml",
              type=click.Path(exists=True, path_type=Path), help="What to run.")  # fmt: skip
@click.option("--minutes", default=10.0, help="Length of the soak.")
@click.option("--seed", default=1, help="Seed of the market.")
@click.option("--speed", default=10.0, help="How many times faster than normal the market runs.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path),
              help="Write every look and the verdict here.")  # fmt: skip
def main(
    config_path: Path, minutes: float, seed: int, speed: float, json_path: Path | None
) -> None:
    """Run it and print the verdict."""
    config = of_soak(configuration.load(config_path))
    folder = Path(config.runs_folder) / config.instance
    folder.mkdir(parents=True)
    demo = Demo(config, folder)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, demo.on_signal)
    soak = Soak(demo)
    try:
        demo.start_exchange([
            "--config", "configs/exchange.toml", "--seed", str(seed), "--speed", str(speed),
            "--audit",
        ])  # fmt: skip
        demo.start_engine(demo.ready())
        demo.start_dashboard()
        soak.run(minutes * 60)
    finally:
        demo.close()
    if not soak.looks:
        raise click.ClickException("; ".join(soak.faults))
    rows = rules.judge(soak.looks)
    click.echo("\n".join(lines(soak, rows, speed, seed)))
    click.echo(
        "\n".join(f"FAULT: {fault}" for fault in soak.faults) or "nothing is left; positions agree"
    )
    if json_path is not None:
        json_path.write_text(
            json.dumps(as_json(soak, rows, speed, seed), indent=1) + "\n", encoding="utf-8"
        )
    sys.exit(1 if soak.faults or any(row.is_good is False for row in rows) else 0)


if __name__ == "__main__":
    main()
