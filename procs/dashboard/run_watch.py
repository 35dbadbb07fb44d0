"""Follows one run: ten samples a second, one column of the charts a second."""

import time
from typing import Any

import numpy as np

from ipc.histogram import PERCENTILES
from procs.dashboard.contents.columns import HEAT_ROW_COUNT, PERCENTILE_WIDTH, Columns, heat
from procs.dashboard.contents.display_units import DisplayUnits
from procs.dashboard.contents.doctor_page import Doctor
from procs.dashboard.contents.logs_tail import LogTail
from procs.dashboard.contents.machine_page import MachinePage
from procs.dashboard.contents.orders_page import NS_PER_S, OrderWatch
from procs.dashboard.contents.recent import Recent
from procs.observe.samples import rates
from procs.observe.samples.rates import LatencyRate, Rates
from procs.observe.samples.sample import Histogram, Sample, histogram_of, take
from procs.observe.samples.view import RunView
from procs.observe.screens.ladder import Ladder
from procs.plan import wiring
from procs.plan.instance import Mark
from procs.supervision.control.control_socket import Supervised
from vortex.orders.positions import profit_e16

E16 = 10**16
#: Percentiles cover this many seconds: one second rarely has enough values for a P99.
WINDOW_S = 10


class RunWatch:
    """The state that is kept of one run; ``close`` releases it."""

    def __init__(self, view: RunView, mark: Mark) -> None:
        self.view, self.mark = view, mark
        self.units = DisplayUnits(view)
        self.orders = OrderWatch(view, self.units)
        self.recent: Recent[Sample] = Recent(NS_PER_S)
        self.window: Recent[dict[str, Histogram]] = Recent(WINDOW_S * NS_PER_S)
        self.machine = MachinePage()
        self.doctor = Doctor()
        self.log = LogTail(view.run_folder)
        self.latency_names = (*wiring.GATEWAY_LATENCIES, *wiring.STRATEGY_LATENCIES)
        self.lately: dict[str, dict[str, float | None]] = {}
        self.since_start: dict[str, dict[str, int | None]] = {}
        self.lags_ms: dict[int, float] = {}
        self.ladders: dict[int, Ladder] = {}
        self.supervised: dict[str, Supervised] = {}
        self.own_late_ms = 0.0
        self._late_ms_max = 0.0
        self._second_at = time.monotonic()
        self.columns = Columns(self.widths())
        self.look()
        self.each_second()

    def widths(self) -> dict[str, int]:
        """Return the series that are kept, and the width of each."""
        widths = {
            "time": 1,
            "messages": 1,
            "updates": 1,
            "orders": 1,
            "fills": 1,
            "pnl": 1,
            "late": 1,
        }
        for name in self.latency_names:
            widths |= {f"latency.{name}": PERCENTILE_WIDTH, f"heat.{name}": HEAT_ROW_COUNT}
        for symbol in self.units.symbols:
            widths |= {f"position.{symbol}": 1, f"mid.{symbol}": 1}
        return widths | {f"wait.{role}": 1 for role in self.view.wiring.roles}

    def look(self) -> None:
        """Sample: stages and rings, single orders, profit."""
        sample = take(self.view, has_latencies=False)
        self.recent.push(sample, sample)
        self.rates: Rates = rates.between(self.recent.oldest, self.sample)
        self.orders.look()
        self.profits = [self.profit(index) for index in range(len(self.units.symbols))]
        self.pnl = sum(self.profits)
        self.look_at_lags()

    @property
    def sample(self) -> Sample:
        """The newest sample of the run."""
        return self.recent.newest

    def look_at_lags(self) -> None:
        """Note the delay of the newest frames against the venue's own stamp."""
        offset_ns = int(self.view.records("clock")[0]["wall_offset_ns"])
        for index, top in enumerate(self.view.records("newest_tops").copy()):
            if top["venue_ns"] and top["newest_kernel_ns"]:  # not every stream has a time
                lag_ns = int(top["newest_kernel_ns"]) + offset_ns - int(top["venue_ns"])
                self.lags_ms[index] = lag_ns / 1e6

    def profit(self, index: int) -> float:
        """Return the profit in one instrument, in the quote asset."""
        touch = self.view.cell("touches", index)
        bid_ticks, ask_ticks = int(touch["bid_ticks"]), int(touch["ask_ticks"])
        if not bid_ticks or not ask_ticks:
            bid_ticks = ask_ticks = int(self.view.records("view")[index]["last_trade_ticks"])
        position = self.view.position(index)
        instrument = self.view.records("instruments")[index]
        return profit_e16(position, instrument, bid_ticks, ask_ticks) / E16

    def was_late(self, late_s: float) -> None:
        """Note the delay of a sample: it shows how crowded the housekeeping CPU is."""
        self._late_ms_max = max(self._late_ms_max, late_s * 1e3)

    def is_second_over(self) -> bool:
        """Return whether it is time for the next column."""
        return time.monotonic() - self._second_at >= 1.0

    def each_second(self) -> None:
        """Append one column to every series."""
        now = time.monotonic()
        seconds = max(now - self._second_at, 1e-3)
        # A regular interval, unless a whole one was missed.
        self._second_at = self._second_at + 1.0 if 1.0 <= seconds < 2.0 else now
        self.log.look()
        self.machine.look(seconds)
        self.own_late_ms, self._late_ms_max = self._late_ms_max, 0.0
        column: dict[str, Any] = {
            "time": time.time(),
            "messages": self.rates.messages_per_s,
            "updates": self.rates.stages[wiring.BOOK].counters_per_s["updates"],
            "orders": self.rates.orders_per_s,
            "fills": self.rates.fills_per_s,
            "pnl": self.pnl,
            "late": self.own_late_ms,
        }
        column |= self.latencies() | self.prices()
        for role, stage in self.rates.stages.items():
            if stage.runnable_share is not None:
                column[f"wait.{role}"] = stage.runnable_share * 1e3
        self.columns.append(column)

    def histogram(self, name: str) -> Histogram:
        """Return one latency histogram, from the stage that measures it."""
        if name in wiring.GATEWAY_LATENCIES:
            return histogram_of(self.view.gateway_histogram(name)[0])
        return histogram_of(self.view.histogram(wiring.STRATEGY, name)[0])

    def latencies(self) -> dict[str, Any]:
        """Return this second's percentiles and heat of every histogram."""
        self.window.push(self.sample, {n: self.histogram(n) for n in self.latency_names})
        column: dict[str, Any] = {}
        for name in self.latency_names:
            oldest, before, newest = (
                seen[name] for seen in (self.window.oldest, self.window.before, self.window.newest)
            )
            lately = rates.latency(newest, oldest)
            self.since_start[name] = summary_ns(rates.latency(newest))
            self.lately[name] = in_us(summary_ns(lately))
            column[f"latency.{name}"] = [
                np.nan if self.lately[name][key] is None else self.lately[name][key]
                for key in (*PERCENTILES, "max")
            ]
            column[f"heat.{name}"] = heat(newest.bins - before.bins)
        return column

    def prices(self) -> dict[str, float]:
        """Return each instrument's position and mid price, in base and quote units."""
        found = {}
        for symbol, book in self.sample.books.items():
            found[f"position.{symbol}"] = book.position_lots * book.lot_e8 / 1e8
            if book.is_valid and book.bid_ticks and book.ask_ticks:
                found[f"mid.{symbol}"] = (book.bid_ticks + book.ask_ticks) * book.tick_e8 / 2e8
        return found

    def ingest_total(self, name: str) -> int:
        """Return one counter, summed over all sources."""
        roles = self.view.wiring.ingest_roles
        return sum(self.sample.stages[role].counters[name] for role in roles)

    def gateway_total(self, name: str) -> int:
        """Return one counter, summed over all accounts."""
        roles = self.view.wiring.gateway_roles
        return sum(self.sample.stages[role].counters[name] for role in roles)

    def seconds(self) -> float:
        """Return how long the run has lasted."""
        started_ns = min(stage.started_ns for stage in self.sample.stages.values())
        return (self.sample.now_ns - started_ns) / 1e9 if started_ns else 0.0

    def close(self) -> None:
        """Unmap everything."""
        self.view.close()


def summary_ns(latency: LatencyRate) -> dict[str, int | None]:
    """Return the summary of a latency for the pages, in nanoseconds."""
    shown = {name: getattr(latency, name) for name in PERCENTILES}
    return {"count": latency.count, **shown, "max": latency.max_ns}


def in_us(found: dict[str, int | None]) -> dict[str, float | None]:
    """Return the same in microseconds."""
    return {
        name: value if name == "count" or value is None else value / 1e3
        for name, value in found.items()
    }
