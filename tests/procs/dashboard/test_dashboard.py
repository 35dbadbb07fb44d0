"""The dashboard of an engine that trades: what its frames say, and what befalls the engine."""

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import psutil
import pytest
from dashboards import Dashboard
from engines import Engine, Exchange, until
from running import Running

from procs.dashboard.browser import UNANSWERED_MAX
from procs.dashboard.contents.columns import HEAT_ROW_COUNT, PERCENTILE_WIDTH
from procs.dashboard.pages import PAGES

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler


@pytest.fixture(scope="module")
def trading(
    market: Exchange, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Running, Dashboard]]:
    """An engine that trades, and a dashboard of it."""
    folder = tmp_path_factory.mktemp("trading")
    engine = Engine.on(folder, market)
    done = engine.start()
    assert done.returncode == 0, done.stdout + done.stderr
    dashboard = Dashboard(engine.name, folder)
    yield Running(market, engine, engine.view()), dashboard
    dashboard.close()
    engine.close()


def is_live(header: dict[str, Any], _: Any) -> bool:
    """Return whether a frame shows a run that trades."""
    return bool(header["head"]["state"] == "live" and header["head"]["is_ready"])


def facts_of(dashboard: Dashboard, page: str, condition: Callable[[Any], Any]) -> Any:
    """Return the first facts of a page that fulfil a condition."""
    looker = dashboard.look(page)
    try:
        header, _ = looker.until(
            f"{page} shows it", lambda h, _: h["facts"] and condition(h["facts"])
        )
        return header["facts"]
    finally:
        looker.close()


def test_the_headline_shows_the_run(trading: tuple[Running, Dashboard]) -> None:
    running, dashboard = trading
    looker = dashboard.look()
    before = running.report()
    header, _ = looker.until("trading", is_live)
    until(running.is_trading(), "it trades on")
    later, _ = looker.until(
        "orders and messages flow",  # in a frame from after the report
        lambda h, _: (
            h["head"]["orders_per_s"] > 0
            and h["head"]["messages_per_s"] > 0
            and h["head"]["fills"] >= before["fills"]
        ),
    )
    looker.close()
    assert header["head"]["instance"] == running.engine.name
    assert header["head"]["run_id"] == f"{running.engine.mark.run_id:08x}"
    assert later["head"]["fills"] <= running.report()["fills"]
    assert later["head"]["dropped"] == 0


def test_the_pipeline_shows_stages_and_rings(trading: tuple[Running, Dashboard]) -> None:
    running, dashboard = trading

    def up(facts: Any) -> bool:
        return all((s["phase"], s["state"]) == ("up", "ready") for s in facts["stages"])

    facts = facts_of(dashboard, "pipeline", up)
    assert [stage["role"] for stage in facts["stages"]] == running.view.wiring.roles
    assert {stage["pid"] for stage in facts["stages"]} == set(running.view.pids())
    capacities = {r["name"]: r["capacity"] for r in facts["rings"]}
    assert capacities == {n: r.spec.capacity_count for n, r in running.view.rings.items()}
    assert facts["losses"]["records dropped"] == 0


def test_latency_is_shown_by_hop_and_by_order(trading: tuple[Running, Dashboard]) -> None:
    running, dashboard = trading
    facts = facts_of(dashboard, "latency", lambda f: len(f["worst"]) == 20)
    assert (
        facts["run"]["tick_to_order_ns"]["count"] <= running.report()["tick_to_order_ns"]["count"]
    )
    worst = facts["worst"]
    assert [order["total_us"] for order in worst] == sorted(
        (order["total_us"] for order in worst), reverse=True
    )
    for order in worst:
        assert sum(order["parts_us"]) == pytest.approx(order["total_us"], abs=0.01)
        assert len(order["parts_us"]) == len(facts["parts"])
        assert 0 <= order["lost_us"] <= order["total_us"]
        assert order["cause"]
    # No order can have taken longer than the slowest that the gateway recorded.
    slowest_us = running.report()["tick_to_order_ns"]["max"] / 1e3
    assert all(order["total_us"] <= slowest_us for order in worst)
    assert facts["unseen"] == 0


def test_the_series_grow_by_a_column_a_second(trading: tuple[Running, Dashboard]) -> None:
    _, dashboard = trading
    names = ("latency.tick_to_order_ns", "heat.tick_to_order_ns", "messages", "no.such.series")
    looker = dashboard.look("latency", *names)
    header, arrays = looker.until("the columns so far", lambda h, _: h["page"] == "latency")
    assert set(arrays) == {"time", *names[:-1]}
    assert arrays["latency.tick_to_order_ns"].shape[1] == PERCENTILE_WIDTH
    assert arrays["heat.tick_to_order_ns"].shape[1] == HEAT_ROW_COUNT
    end = header["first"] + len(arrays["time"])
    last = arrays["time"][-1, 0] if len(arrays["time"]) else 0.0
    for _ in range(2):
        header, arrays = looker.until("a new column", lambda _, a: len(a["time"]) > 0)
        assert header["first"] == end, "each column is sent once"
        assert np.all(np.diff(np.concatenate([[last], arrays["time"][:, 0]])) > 0)
        end, last = end + len(arrays["time"]), arrays["time"][-1, 0]
    looker.close()


def test_the_venue_is_shown(trading: tuple[Running, Dashboard]) -> None:
    running, dashboard = trading
    facts = facts_of(
        dashboard, "venue",
        lambda f: (
            f["accounts"][0]["budget"]["used"] > 0 and all(feed["in_sync"] for feed in f["feeds"])
        ),
    )  # fmt: skip
    assert [feed["symbol"] for feed in facts["feeds"]] == ["BTCUSDT", "ETHUSDT"]
    assert all(feed["age_ms"] >= 0 for feed in facts["feeds"])
    assert facts["sources"][0]["messages"] <= running.report()["messages"]
    assert facts["orders"]["placed"] > 0
    assert facts["accounts"][0]["budget"]["most"] == 100_000
    assert facts["round_trip"]["run"]["count"] > 0


def test_the_book_shows_our_orders_in_the_ladder(trading: tuple[Running, Dashboard]) -> None:
    _, dashboard = trading

    def is_complete(facts: Any) -> bool:
        return bool(
            facts["orders"] and facts["fills"]
            and any(level[2] for book in facts["instruments"] for level in book["bids"])
        )  # fmt: skip

    facts = facts_of(dashboard, "book", is_complete)
    for book in facts["instruments"]:
        bids, asks = ([float(level[0]) for level in book[side]] for side in ("bids", "asks"))
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        assert bids[0] < asks[0]
        for levels in (book["bids"], book["asks"]):
            sums = [level[3] for level in levels]
            assert sums == sorted(sums)
        # Every quantity of ours in the ladder is the sum of our orders at that price.
        for side, levels in (("buy", book["bids"]), ("sell", book["asks"])):
            for price, _, own, _ in levels:
                ours = sum(
                    float(o["qty"]) - float(o["filled"]) for o in facts["orders"]
                    if (o["symbol"], o["side"], o["price"]) == (book["symbol"], side, price)
                )  # fmt: skip
                assert float(own or 0) == pytest.approx(ours)


def test_the_machine_and_the_log_are_shown(trading: tuple[Running, Dashboard]) -> None:
    running, dashboard = trading
    facts = facts_of(dashboard, "machine", lambda f: len(f["threads"]) == 4)
    assert set(facts["threads"]) == set(running.view.wiring.roles)
    assert len(facts["cpus"]) == psutil.cpu_count()
    looker = dashboard.look("log")
    header, _ = looker.until("the log", lambda h, _: h["lines"])
    looker.close()
    assert "event" in {line["level"] for line in header["lines"]}
    assert any("ready" in line["text"] for line in header["lines"])


def test_a_browser_that_cannot_keep_up_skips_samples(trading: tuple[Running, Dashboard]) -> None:
    _, dashboard = trading
    slow, quick = dashboard.look(), dashboard.look()
    first = slow.raw()[0]
    frames = [first, *(slow.raw()[0] for _ in range(UNANSWERED_MAX - 1))]
    quick.until("many samples later", lambda h, _: h["sample"] > first["sample"] + 20)
    with pytest.raises(TimeoutError):
        slow.socket.recv(timeout=0.5)  # nothing more is sent, or kept, until it answers
    slow.seen = frames[-1]["number"]
    slow.say()
    header, _ = slow.next()
    assert header["number"] == frames[-1]["number"] + 1
    assert header["sample"] > first["sample"] + 20, "what it gets is new"
    slow.close()
    quick.close()


def test_dashboards_come_and_go_and_the_engine_does_not_mind(
    trading: tuple[Running, Dashboard], tmp_path_factory: pytest.TempPathFactory
) -> None:
    running, dashboard = trading
    pids, epochs = running.view.pids(), running.view.status("gateway")["epoch"]
    others = [Dashboard(running.engine.name, running.engine.folder) for _ in range(2)]
    for each in others:
        looker = each.look("book", "pnl")
        looker.until("live", is_live)
        each.kill()
    until(running.is_trading(), "it trades on")
    assert running.view.pids() == pids
    assert running.view.status("gateway")["epoch"] == epochs
    assert running.report()["dropped"] == 0
    looker = dashboard.look()
    looker.until("live", is_live)
    looker.close()


def test_a_stage_that_dies_is_shown_and_shown_back(trading: tuple[Running, Dashboard]) -> None:
    running, dashboard = trading
    looker = dashboard.look()
    before, _ = looker.until("live", is_live)
    os.kill(running.view.pid("strategy"), signal.SIGKILL)
    down, _ = looker.until("not ready", lambda h, _: not h["head"]["is_ready"])
    print(f"shown {down['sample'] - before['sample']} samples after the last frame before it died")
    # Pulled while it is not ready; on a loaded machine the next frame may show it back already.
    if not down["head"]["is_pulled"]:
        next_one, _ = looker.until("the next frame", lambda h, _: True)
        assert next_one["head"]["is_pulled"] or next_one["head"]["is_ready"]
    back, _ = looker.until(
        "back", lambda h, _: is_live(h, _) and not h["head"]["is_pulled"]
        and h["facts"]["stages"][2]["restarts"] == 1,
    )  # fmt: skip
    assert back["facts"]["stages"][2]["life"] == before["facts"]["stages"][2]["life"] + 1
    looker.close()


def test_commands_reach_the_supervisor_and_an_ended_run_is_said_so(
    trading: tuple[Running, Dashboard],
) -> None:
    """The last test of this engine: it ends it."""
    running, dashboard = trading
    life = int(running.view.status("book")["epoch"])
    assert dashboard.act({"type": "restart_stage", "stage": "book"}) == (200, "")
    assert int(running.view.status("book")["epoch"]) == life + 1
    status, error = dashboard.act({"type": "restart_stage", "stage": "nobody"})
    assert (status, "no stage 'nobody'" in error) == (409, True)
    lookers = [dashboard.look(page) for page in PAGES]
    assert dashboard.act({"type": "stop"}) == (200, "")
    for looker in lookers:
        header, _ = looker.until("ended", lambda h, _: h["head"]["state"] == "ended")
        assert header["facts"] is not None, "what was last known stays on show"
        looker.close()
    until(running.engine.has_left_nothing, "the engine is gone")
    assert dashboard.rest() == ""
