"""What the exchange's books are made to say of an engine that was mistreated."""

import signal
import subprocess
from decimal import Decimal
from typing import Any

from engines import new_instance, until
from hypothesis import given
from hypothesis import strategies as st

from tools.aftermath import (
    leftover_faults,
    order_faults,
    position_faults,
    repeated_client_ids,
    standing_client_ids,
)
from tools.chaos.books import FLAT_NS_MIN, Outcome, outcome_of
from tools.chaos.victims import CUT, Act, Traces, has_struck, is_stopped

MS = 1_000_000
END = 10_000 * MS


def order(arrived_ms: int, ended_ms: int, name: str = "a") -> dict[str, Any]:
    """Return an order that was open between two times; 0 if it is still open."""
    return {
        "arrived_ns": arrived_ms * MS, "ended_ns": ended_ms * MS,
        "client_order_id": name, "client_order_ids": [name],
    }  # fmt: skip


def test_the_last_quote_counts_and_then_the_next_one() -> None:
    orders = [order(10, 150), order(20, 180), order(90, 120), order(900, 0)]
    assert outcome_of(orders, 100 * MS, END) == Outcome(80 * MS, 800 * MS)


def test_a_quote_changed_for_another_is_no_pull() -> None:
    """The one comes right after the other has gone."""
    orders = [order(10, 110), order(111, 300), order(500, 0)]
    assert outcome_of(orders, 100 * MS, END) == Outcome(200 * MS, 400 * MS)


def test_a_quote_placed_after_the_act_counts_as_well() -> None:
    orders = [order(10, 110), order(105, 400), order(800, 0)]
    assert outcome_of(orders, 100 * MS, END) == Outcome(300 * MS, 700 * MS)


def test_orders_that_never_went_or_never_came_are_reported() -> None:
    assert outcome_of([order(10, 0)], 100 * MS, END) == Outcome(None, None)
    assert outcome_of([order(10, 200)], 100 * MS, END) == Outcome(100 * MS, None)


def test_nothing_is_said_of_what_came_after_the_end() -> None:
    orders = [order(10, 110), order(111, 0), order(20_000, 0)]
    assert outcome_of(orders, 100 * MS, END) == Outcome(None, None)


def test_ids_used_twice_and_orders_that_stand_are_found() -> None:
    orders = [order(1, 2, "a"), order(3, 0, "b"), order(4, 5, "a")]
    assert repeated_client_ids(orders) == ["a"]
    assert standing_client_ids(orders) == ["b"]
    assert order_faults(orders, ["b"]) == [
        "client order ids used twice: a", "orders are open after the stop: b",
    ]  # fmt: skip
    assert order_faults(orders[:2], []) == []


def test_a_position_that_the_fills_do_not_add_up_to_is_found() -> None:
    assert position_faults({"A": "0.10", "B": "0"}, {"A": Decimal("0.1")}) == []
    (fault,) = position_faults({"A": "0.1"}, {"A": Decimal("0.2")})
    assert fault == "position of A: 0.1 here, 0.2 at the exchange"


def test_a_process_that_was_left_is_found() -> None:
    name = new_instance()
    with subprocess.Popen(["sleep", "60"]) as child:
        assert leftover_faults(name, [child.pid], wait_s=0) == [f"processes are left: {child.pid}"]
        child.kill()
    assert leftover_faults(name, [child.pid]) == []


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(1, 100)), max_size=12))
def test_the_gap_found_is_the_first_without_an_open_order(spans: list[tuple[int, int]]) -> None:
    """By a slow twin that looks at every millisecond."""
    orders = [order(start, start + length) for start, length in spans]
    act_ms, end_ms = 100, 1_000
    found = outcome_of(orders, act_ms * MS, end_ms * MS)
    standing = [
        any(start <= ms < start + length for start, length in spans) for ms in range(end_ms)
    ]
    need = FLAT_NS_MIN // MS
    flat_ms = next(
        ms
        for ms in range(act_ms, end_ms)
        if not any(standing[ms : ms + need]) and (ms == act_ms or standing[ms - 1])
    )
    assert found.flat_ns == (flat_ms - act_ms) * MS
    later = [start for start, _ in spans if start >= flat_ms and start > act_ms]
    assert found.trading_ns == ((min(later) - act_ms) * MS if later else None)


def test_an_act_has_struck_once_its_trace_shows() -> None:
    before = Traces({"gateway": 10, "supervisor": 9}, 3)
    kill = Act("kill -9", "gateway")
    assert not has_struck(kill, before, before)
    assert not has_struck(kill, before, None)
    assert has_struck(kill, before, Traces({"gateway": 11, "supervisor": 9}, 1))
    assert not has_struck(CUT, before, before)
    assert has_struck(CUT, before, Traces(before.pids, 4))


def test_a_process_that_a_signal_stopped_differs_from_one_that_runs() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        traces = Traces({"book": child.pid}, 1)
        stop = Act("SIGSTOP", "book")
        child.send_signal(signal.SIGSTOP)
        until(lambda: is_stopped(child.pid), "it was held")
        assert not has_struck(stop, traces, traces)
        child.send_signal(signal.SIGCONT)
        until(lambda: not is_stopped(child.pid), "it went on")
        assert has_struck(stop, traces, traces)
        child.kill()
