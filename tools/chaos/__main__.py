"""Chaos: kill and stop every part under load, and judge by the exchange's own books.

``python -m tools.chaos --seconds 120 --seed 1``, the body of ``make chaos``.  It prints the times
from the act to the end of the last quote, and to the next quote, by the exchange's clock.
"""

import os
import random
import sys
import time
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import msgspec

from procs.demo import Demo
from procs.observe.samples.view import open_view
from procs.plan import config as configuration
from procs.plan import instance
from procs.plan.config import Config
from tools import aftermath
from tools.chaos.books import Outcome, outcome_of
from tools.chaos.victims import (
    CUT,
    KILLS,
    RESTART,
    STOPS,
    Act,
    Traces,
    do,
    has_struck,
    is_up,
    traces,
)

CYCLE_COUNT = 10
RECOVER_S = 30.0
STRIKE_S = 0.05
SETTLE_S = 0.1
PULL_BAR_NS = 250_000_000
DEATHS_PER_MINUTE = 1_000  # deaths are intended here


class Chaos:
    """One exchange, one engine, and the acts on it."""

    def __init__(self, demo: Demo, seed: int) -> None:
        self.demo = demo
        self.random = random.Random(seed)
        self.acts: list[tuple[Act, int, int]] = []  # with begin and end
        self.faults: list[str] = []
        self.name = demo.config.instance
        self.seed = seed
        self.ports: dict[str, int] = {}
        self.orders: list[dict[str, Any]] = []  # of all lives of the exchange
        self.held: dict[str, Decimal] = {}
        self.life_count = 0

    @property
    def rest_url(self) -> str:
        """The REST address of the exchange."""
        return self.demo.config.accounts[0].rest_url

    def start_exchange(self) -> None:
        """Start the exchange, at its former address if there was one; its ids only grow."""
        ports = [f"--{name.replace('_', '-')}={port}" for name, port in self.ports.items()]
        self.demo.start_exchange([
            "--config", "configs/exchange.toml", "--seed", str(self.seed), "--audit", "--faults",
            f"--life={self.life_count}", *ports,
        ])  # fmt: skip
        self.ports = self.demo.ready()
        self.life_count += 1

    def end_exchange(self) -> None:
        """End the exchange, and keep its books of our account."""
        books = aftermath.audit(self.rest_url)
        ended_ns = time.monotonic_ns()
        for order in aftermath.orders_of_ours(books):
            order["ended_ns"] = order["ended_ns"] or ended_ns
            self.orders.append(order)
        for symbol, text in self.demo.stop_exchange()["positions"].items():
            self.held[symbol] = self.held.get(symbol, Decimal(0)) + Decimal(text)

    def restart_exchange(self) -> None:
        """End the exchange and start it again at the same address."""
        self.end_exchange()
        self.start_exchange()

    def start(self) -> None:
        """Start the engine again, as an operator would."""
        self.demo.control("start", "-c", str(self.demo.config_path))

    def plan(self) -> list[Act]:
        """Return every act ``CYCLE_COUNT`` times, shuffled within each cycle."""
        acts = []
        for _ in range(CYCLE_COUNT):
            cycle = [*KILLS, *STOPS, CUT, RESTART]
            self.random.shuffle(cycle)
            acts += cycle
        return acts

    def run(self, seconds: float) -> None:
        """Do one act after another until all are done or the time is up."""
        deadline = time.monotonic() + seconds
        for act in self.plan():
            if time.monotonic() > deadline:
                break
            if not self.wait_trading(act):
                return
            time.sleep(self.random.uniform(0.1, 0.4))  # at any point of trading
            pause_s = self.random.uniform(0.2, 0.6)
            before = traces(self.name)
            assert before is not None, "it was just trading"
            begun_ns = do(act, self.name, self.rest_url, self.start, self.restart_exchange, pause_s)
            is_well = self.wait_struck(act, before) and self.wait_trading(act)
            time.sleep(SETTLE_S)
            self.acts.append((act, begun_ns, time.monotonic_ns()))
            if not is_well:
                return

    def wait_struck(self, act: Act, before: Traces) -> bool:
        """Wait until the act has an effect; record a fault when it has none."""
        deadline = time.monotonic() + RECOVER_S
        time.sleep(STRIKE_S)
        while not has_struck(act, before, traces(self.name)):
            if time.monotonic() > deadline:
                self.faults.append(f"nothing followed {act.title}")
                return False
            time.sleep(0.02)
        return True

    def wait_trading(self, act: Act) -> bool:
        """Wait until everything is ready and orders are open; record a fault at the timeout."""
        deadline = time.monotonic() + RECOVER_S
        while not (is_up(self.name) and self.is_trading()):
            if time.monotonic() > deadline:
                self.faults.append(f"no trading {RECOVER_S:.0f} s after {act.title}")
                return False
            time.sleep(0.02)
        return True

    def is_trading(self) -> bool:
        """Return whether the run is ready and orders of ours are open."""
        try:
            view, _ = open_view(self.name)
        except (instance.NotRunning, instance.NotReady):
            return False
        try:
            return view.ready() and view.open_order_count() > 0
        finally:
            view.close()

    def judge(self, standing: list[str], held: dict[str, str]) -> list[str]:
        """Return the lines of the table; append faults to ``faults``.

        ``standing`` are the orders open after the stop, ``held`` the engine's own positions.
        """
        orders = self.orders
        outcomes = defaultdict(list)
        for act, begun_ns, end_ns in self.acts:
            outcomes[act].append(outcome_of(orders, begun_ns, end_ns))
        lines = [f"{'act':<22}{'count':>6}{'last quote gone, ms':>24}{'next quote, ms':>24}",
                 f"{'':<28}{'p50':>12}{'worst':>12}{'p50':>12}{'worst':>12}"]  # fmt: skip
        for act in [*KILLS, *STOPS, CUT, RESTART]:
            if act in outcomes:
                lines.append(f"{act.title:<22}{len(outcomes[act]):>6}" + cells(outcomes[act]))
            if act in KILLS:
                self.check_bars(act, outcomes[act])
        self.faults += aftermath.order_faults(orders, standing)
        self.faults += aftermath.position_faults(held, self.held)
        return lines

    def check_bars(self, act: Act, outcomes: list[Outcome]) -> None:
        """Compare with the bars; the gateway's own death has a bound, and no bar."""
        for outcome in outcomes:
            if outcome.trading_ns is not None and outcome.flat_ns is None:
                self.faults.append(f"after {act.title} quotes were never cancelled")
            elif act.victim != "gateway" and (outcome.flat_ns or 0) > PULL_BAR_NS:
                self.faults.append(
                    f"after {act.title} a quote stayed for {(outcome.flat_ns or 0) / 1e6:.0f} ms"
                )


def cells(outcomes: list[Outcome]) -> str:
    """Return the figures of one act."""
    text = ""
    for values in (
        sorted(o.flat_ns for o in outcomes if o.flat_ns is not None),
        sorted(o.trading_ns for o in outcomes if o.trading_ns is not None),
    ):
        if values:
            text += f"{values[len(values) // 2] / 1e6:>12.1f}{values[-1] / 1e6:>12.1f}"
        else:
            text += f"{'-':>12}{'-':>12}"
    return text


def of_chaos(config: Config) -> Config:
    """Return the configuration, with restarts allowed however often a stage dies."""
    replace = msgspec.structs.replace
    liveness = replace(config.liveness, deaths_per_minute=DEATHS_PER_MINUTE)
    return replace(config, instance=f"chaos-{os.getpid()}", liveness=liveness)


@click.command(help=__doc__)
@click.option("--seconds", default=120, help="Time in which new acts begin.")
@click.option("--seed", default=1, help="Seed of the market and of the order of the acts.")
def main(seconds: int, seed: int) -> None:
    """Run it and print the verdict."""
    config = of_chaos(configuration.load(Path("configs/demo.toml")))
    folder = Path(config.runs_folder) / config.instance
    folder.mkdir(parents=True)
    demo = Demo(config, folder)
    chaos = Chaos(demo, seed)
    click.echo(f"seed {seed}")
    try:
        chaos.start_exchange()
        demo.start_engine(chaos.ports)
        view, _ = open_view(chaos.name)
        chaos.run(seconds)
        demo.control("stop", "-n", chaos.name)
        held = aftermath.final_position(view.run_folder)
        view.close()
        books = aftermath.audit(chaos.rest_url)
        standing = aftermath.standing_client_ids(aftermath.orders_of_ours(books))
        chaos.end_exchange()
        lines = chaos.judge(standing, held)
    finally:
        demo.close()
    chaos.faults += aftermath.leftover_faults(chaos.name)
    click.echo("\n".join(lines))
    click.echo("\n".join(f"FAULT: {fault}" for fault in chaos.faults) or "no fault")
    sys.exit(1 if chaos.faults else 0)


if __name__ == "__main__":
    main()
