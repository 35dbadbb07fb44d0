"""The whole engine on the local exchange that speaks Bybit: orders, fills, and the books after."""

import json
import urllib.request
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bybit_client import bybit_config
from engines import Engine, Exchange, strategy_of, until
from running import Running, started

from procs.stages.book_stage import BookCounter

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler

#: Three times what the simulated takers take at once, so that orders fill in parts.
QTY_LOTS = {"linear": 30, "spot": 30_000}
#: How many of each the exchange must have carried out before the engine is stopped.
WANTED = {"order.create": 10, "order.amend": 10, "order.cancel": 1}


class BybitRun:
    """An engine of one category, and what the exchange wrote down of its requests."""

    def __init__(self, category: str, run: Running, log_path: Path) -> None:
        self.category = category
        self.run = run
        self._log_path = log_path

    def carried_out(self) -> Counter[str]:
        """Return how many requests of each kind were accepted on the trade socket."""
        lines = self._log_path.read_text().rpartition("\n")[0].splitlines()
        rows = [row for row in map(json.loads, lines) if row["via"] == "trade" and not row["code"]]
        return Counter(json.loads(row["request"])["op"] for row in rows)

    def status(self) -> dict[str, Any]:
        """Return what the exchange says of itself and of the account at Bybit."""
        url = self.run.exchange.ports[f"bybit_{self.category}"]["rest_url"]
        with urllib.request.urlopen(f"{url}/vortex/status", timeout=30) as answer:
            facts: dict[str, Any] = json.loads(answer.read())
        return facts


@pytest.fixture(params=QTY_LOTS)
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BybitRun]:
    """An engine that quotes close to the mid, and cancels a quote once part of it has filled."""
    category, log_path = request.param, tmp_path / "requests.jsonl"
    options = ("--request-log", str(log_path), "--speed", "4")
    exchange = Exchange(tmp_path, *options, config=bybit_config())
    urls, venue = exchange.ports[f"bybit_{category}"], f"bybit_{category}"
    stream_url = urls["stream_url"].removesuffix(f"/v5/public/{category}")
    engine = Engine(tmp_path, urls["rest_url"], stream_url, "", exchange.keys)
    engine.config["sources"][0] |= {"venue": venue, "symbols": ["BTCUSDT"]}
    engine.config["accounts"][0] |= {
        "venue": venue, "order_url": urls["trade_url"], "private_url": urls["private_url"],
    }  # fmt: skip
    strategy = strategy_of("BTCUSDT", QTY_LOTS[category], 1)
    strategy["params"] |= {"inventory_lots_max": QTY_LOTS[category], "skew_ticks": 0}
    strategy["limits"]["order_notional"] = "5000"
    engine.config["strategies"] = [strategy]
    engine.write_config()
    with started(exchange, engine) as run:
        yield BybitRun(category, run, log_path)


def test_orders_are_placed_amended_filled_and_cancelled_and_the_books_agree(
    running: BybitRun,
) -> None:
    """To the lot and to the fee, when the engine has stopped; nothing rests and nothing is left."""
    run, category = running.run, running.category
    until(lambda: run.report()["fills"] >= 10, "orders were filled")
    until(lambda: running.carried_out() >= Counter(WANTED), "orders were amended and cancelled", 60)
    assert run.booked(BookCounter.MISMATCHES) == 0
    stopped = run.engine.stop()
    assert stopped.exit_code == 0, stopped.output
    until(run.engine.has_left_nothing, "all processes had ended")
    status = running.status()
    assert status["open_order_count"] == 0
    assert status["signature_failures"] == 0
    facts = json.loads((run.engine.run_folder / "report.json").read_text())
    assert (facts["gaps"], facts["dropped"], facts["invalid_messages"]) == (0, 0, 0)
    venue = run.exchange.stop()["bybit"]
    assert venue["open_orders"] == []
    assert facts["fills"] == venue["fill_count"]
    fills = venue["fills"][f"{category}:BTCUSDT"]
    check_position(run.engine.run_folder, facts, fills)


def check_position(run_folder: Path, facts: dict[str, Any], fills: list[dict[str, Any]]) -> None:
    """The engine's position, its cash and its fees are those of the exchange's executions."""
    signs = {"Buy": 1, "Sell": -1}
    qty = sum(signs[fill["side"]] * Decimal(fill["execQty"]) for fill in fills)
    assert Decimal(facts["position"]["BTCUSDT"]) == qty
    with np.load(run_folder / "tables.npz") as tables:
        position, instrument = tables["positions"][0], tables["instruments"][0]
    tick, lot = (Decimal(int(instrument[f"{unit}_e8"])) / 10**8 for unit in ("tick", "lot"))
    assert int(position["fill_count"]) == len(fills)
    assert int(position["base_lots"]) * lot == qty
    spent = sum(
        signs[fill["side"]] * Decimal(fill["execQty"]) * Decimal(fill["execPrice"])
        for fill in fills
    )
    assert int(position["cash"]) * tick * lot == -spent
    for asset, field in (("BTC", "fee_base_e8"), ("USDT", "fee_quote_e8")):
        fees = sum(Decimal(fill["execFee"]) for fill in fills if fill["feeCurrency"] == asset)
        assert Decimal(int(position[field])) / 10**8 == fees, asset
