"""The numbers of a report against sums made another way, and how they are shown."""

from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from builders import record_of
from engines import strategy_of
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.counters import COUNTERS
from ipc.histogram import HISTOGRAM
from procs.observe.samples import report
from procs.observe.samples.view import RunView
from procs.plan import wiring
from procs.plan.config import Config
from procs.stages import book_stage
from procs.stages.gateway import context
from procs.stages.ingest import ingest_stage
from procs.stages.strategy_inputs import StrategyCounter
from vortex.codes import Refusal, Reject
from vortex.deciding.sight import VIEW
from vortex.records import INSTRUMENT, POSITION, TOUCH

SYMBOLS = ["BTCUSDT", "ETHUSDT"]


class Still(RunView):
    """What a report asks of a view, standing still."""

    def __init__(self) -> None:
        tables = {
            "instance": "still",
            "sources": [{"rest_url": "http://x", "stream_url": "ws://x", "symbols": SYMBOLS}],
            "accounts": [{"rest_url": "http://x", "order_url": "ws://x"}],
            "strategies": [strategy_of(symbol, 1) for symbol in SYMBOLS],
        }
        self.config = msgspec.convert(tables, Config)
        self.wiring = wiring.wire(self.config)
        count = len(SYMBOLS)
        self.arrays: dict[str, Any] = {
            "instruments": np.zeros(count, INSTRUMENT.dtype),
            "positions": np.zeros(count, POSITION.dtype),
            "touches": np.zeros(count, TOUCH.dtype),
            "view": np.zeros(count, VIEW.dtype),
        }
        self.counts = {role: np.zeros(1, COUNTERS.dtype)[0] for role in self.wiring.roles}

    def records(self, name: str) -> Any:
        """Return a table."""
        return self.arrays[name]

    def cell(self, name: str, index: int) -> Any:
        """Return one record of a table."""
        return self.arrays[name][index]

    def count(self, role: str, index: int, value: int) -> None:
        """Set one counter."""
        self.counts[role]["value_count"][index] = value

    def counter(self, role: str, index: int) -> int:
        """Return one counter."""
        return int(self.counts[role]["value_count"][index])

    def status(self, role: str) -> dict[str, int]:
        """Return when a stage began."""
        return {"started_ns": 1_000_000_000}

    def now_ns(self) -> int:
        """Return a time two and a half seconds later."""
        return 3_500_000_000

    def histogram(self, role: str, name: str) -> Any:
        """Return an empty histogram."""
        return record_of(HISTOGRAM)

    def placement(self) -> dict[str, dict[str, Any]]:
        """Return no placement."""
        return {}


@pytest.mark.parametrize(
    ("number", "shown"),
    [("0", "0"), ("0.00000000", "0"), ("-0.00100000", "-0.001"), ("100", "100"),
     ("1E+3", "1000"), ("1E-8", "0.00000001"), ("12.50", "12.5")],
)  # fmt: skip
def test_numbers_are_shown_plainly(number: str, shown: str) -> None:
    """Neither exponents nor trailing zeros; whole numbers keep theirs."""
    assert report.text(Decimal(number)) == shown


def test_counters_add_up() -> None:
    """A replace is an order and a cancel; refusals are listed by name, when there are any."""
    view = Still()
    view.count("gateway", context.GatewayCounter.PLACED, 5)
    view.count("gateway", context.GatewayCounter.REPLACED, 7)
    view.count("gateway", context.GatewayCounter.CANCELED, 2)
    view.count("gateway", context.GatewayCounter.FILLS, 3)
    view.count("gateway", context.GatewayCounter.INVALID, 1)
    view.count("gateway", context.GatewayCounter.EVENTS_LOST, 2)
    view.count("gateway", context.REJECT_BASE + Reject.PRICE_BAND, 4)
    view.count("ingest", ingest_stage.IngestCounter.MESSAGES, 100)
    view.count("ingest", ingest_stage.IngestCounter.INVALID, 6)
    view.count("ingest", ingest_stage.IngestCounter.DROPPED, 8)
    view.count("ingest", ingest_stage.REFUSAL_BASE - Refusal.OFF_TICK, 6)
    view.count("book", book_stage.BookCounter.UPDATES, 90)
    view.count("book", book_stage.BookCounter.MERGED, 10)
    view.count("book", book_stage.BookCounter.GAPS, 1)
    view.count("strategy", StrategyCounter.MERGED, 11)
    facts = report.make(view)
    assert (facts["orders"], facts["cancels"], facts["fills"]) == (12, 9, 3)
    assert facts["rejects"] == {"price_band": 4}
    assert facts["refusals"] == {"off_tick": 6}
    assert (facts["messages"], facts["book_updates"], facts["gaps"]) == (100, 90, 1)
    assert (facts["merged"], facts["dropped"], facts["invalid_messages"]) == (21, 10, 7)
    assert facts["seconds"] == 2.5


def test_no_two_counters_share_a_place() -> None:
    """The refusals begin behind the stage's own counters, and end before the table does."""
    size = COUNTERS.dtype["value_count"].shape[0]
    assert max(context.GatewayCounter) < context.REJECT_BASE
    assert max(ingest_stage.IngestCounter) < ingest_stage.REFUSAL_BASE
    assert context.REJECT_BASE + max(Reject) < size
    assert ingest_stage.REFUSAL_BASE - min(Refusal) < size


money = st.integers(-(10**6), 10**6)


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(1, 10**6), money.filter(bool)), max_size=20),
    st.integers(1, 10**6), st.integers(1, 100), st.integers(0, 10**8),
)  # fmt: skip
def test_profit_is_cash_and_inventory_at_mid_less_fees(
    fills: list[tuple[int, int]], bid_ticks: int, spread_ticks: int, fee_e8: int
) -> None:
    """Summed fill by fill in decimals, in money instead of ticks and lots."""
    view = Still()
    tick, lot = Decimal("0.01"), Decimal("0.001")
    cash = sum((-price * tick * qty * lot for price, qty in fills), Decimal(0))
    held = sum((qty * lot for _, qty in fills), Decimal(0))
    mid = tick * (2 * bid_ticks + spread_ticks) / 2
    for instrument in view.records("instruments"):
        instrument["tick_e8"], instrument["lot_e8"] = 10**6, 10**5
    position, touch = view.records("positions")[0], view.records("touches")[0]
    position["cash"] = -sum(price * qty for price, qty in fills)
    position["base_lots"] = sum(qty for _, qty in fills)
    position["fee_quote_e8"] = fee_e8
    touch["bid_ticks"], touch["ask_ticks"] = bid_ticks, bid_ticks + spread_ticks
    assert report.profit(view) == cash + held * mid - Decimal(fee_e8) / 10**8
    assert Decimal(report.position_text(view, 0)) == held


def test_without_a_touch_the_last_trade_is_the_mark() -> None:
    """A book that is not in sync knows no mid."""
    view = Still()
    instrument, position = view.records("instruments")[0], view.records("positions")[0]
    instrument["tick_e8"], instrument["lot_e8"] = 10**6, 10**5
    position["base_lots"], view.records("view")[0]["last_trade_ticks"] = 3, 700
    assert report.profit(view) == 3 * Decimal("0.001") * 700 * Decimal("0.01")


def test_a_report_can_be_read_by_people() -> None:
    """Every histogram has its row, and what was never measured shows a dash."""
    facts = report.make(Still())
    text = "\n".join(report.lines(facts))
    for name in ("tick-to-order", "tick-to-decision", "order-round-trip", "gateway service"):
        row = next(line for line in text.splitlines() if line.strip().startswith(name))
        assert row.split()[-5:] == ["-"] * 5
    assert "rejects: none" in text
    assert report.microseconds(1_234_500) == "1234.5"
