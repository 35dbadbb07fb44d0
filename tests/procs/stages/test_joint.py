"""Several stages in one process: the whole engine on the local exchange."""

import os
import signal
from collections.abc import Callable

import pytest
from engines import Engine, Exchange, Watch, strategy_of, until

from procs.observe.samples import report

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler

ALL = ["ingest", "book", "strategy", "gateway"]
#: Quotes so far from the touch that nobody trades with them: they rest until they are pulled.
WIDE = [strategy_of("BTCUSDT", 100, 3000), strategy_of("ETHUSDT", 1000, 1000)]


def placed(*groups: list[str]) -> dict[str, object]:
    """Return a `[placement]` that puts stages together."""
    return {"wait": "park", "together": list(groups)}


def trades(view: Watch) -> bool:
    """Return whether orders went out and some were filled, all books being in sync."""
    facts = report.make(view)
    return view.books_in_sync() and facts["orders"] > 10 and facts["fills"] > 0


def test_an_engine_in_one_process_trades_and_leaves_nothing(
    new_engine: Callable[..., Engine], market: Exchange
) -> None:
    """One process and one hot thread hold all stages; orders are placed, filled and pulled."""
    engine = new_engine(placement=placed(ALL))
    done = engine.start()
    assert done.returncode == 0, done.stderr
    view = engine.view()
    assert len(set(view.pids())) == 1
    assert len({int(view.status(role)["thread_id"]) for role in ALL}) == 1
    until(lambda: trades(view), "orders were placed and filled")
    assert report.make(view)["dropped"] == 0
    assert all(int(view.status(role)["loop_count"]) > 0 for role in ALL)
    shown = engine.run("status", "-n", engine.name)
    pid = str(view.pid("gateway"))
    assert [line.split()[0] for line in shown.output.splitlines() if pid in line.split()] == ALL
    log = engine.log("+".join(ALL))
    assert all(f"{role}: the loop begins" in log for role in ALL)
    assert "the loop begins" in engine.run("logs", "-n", engine.name, "gateway").output
    stopped = engine.stop()
    assert stopped.exit_code == 0, stopped.output
    until(engine.has_left_nothing, "all processes had ended")
    assert market.status()["open_order_count"] == 0


def test_a_pair_of_stages_can_share_a_process(
    new_engine: Callable[..., Engine], market: Exchange
) -> None:
    """The others have processes of their own."""
    engine = new_engine(placement=placed(["gateway", "strategy"]))
    done = engine.start()
    assert done.returncode == 0, done.stderr
    view = engine.view()
    assert view.pid("strategy") == view.pid("gateway")
    assert len(set(view.pids())) == 3
    until(lambda: trades(view), "orders were placed and filled")
    assert engine.stop().exit_code == 0
    until(engine.has_left_nothing, "all processes had ended")
    assert market.status()["open_order_count"] == 0


def test_a_killed_group_is_started_again(
    new_engine: Callable[..., Engine], market: Exchange
) -> None:
    """All its stages are in one new process, which trades on; open orders are cancelled first."""
    engine = new_engine(strategies=WIDE, placement=placed(ALL))
    done = engine.start()
    assert done.returncode == 0, done.stderr
    view = engine.view()
    until(lambda: market.status()["open_order_count"], "an order is open")
    (killed,) = set(view.pids())
    os.kill(killed, signal.SIGKILL)
    until(lambda: killed not in view.pids() and view.ready(), "a new process was ready")
    engine.pids += view.pids()
    assert len(set(view.pids())) == 1
    assert "cancelled" in engine.log("+".join(ALL))
    until(lambda: market.status()["open_order_count"], "an order is open again")
    assert engine.stop().exit_code == 0
    until(engine.has_left_nothing, "all processes had ended")
    assert market.status()["open_order_count"] == 0


def test_a_wrong_group_starts_nothing(new_engine: Callable[..., Engine]) -> None:
    """The message names the key and the stages that there are."""
    engine = new_engine(placement=placed(["book", "bok"]))
    done = engine.start()
    assert done.returncode == 1
    assert "`$.placement.together[0]`: no stage 'bok'; there are ingest, book" in done.stderr
