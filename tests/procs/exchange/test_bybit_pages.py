"""Lists that are longer than a page, read to their end by the engine's own questions."""

from decimal import Decimal
from types import SimpleNamespace

import pytest
from bybit_client import limit_order, market_order

from procs.plan.credentials import Credentials
from procs.stages.gateway.account_questions import AccountQuestions

CREATE = "/v5/order/create"
ORDERS, FILLS = 120, 230
QTYS = {"linear": "0.001", "spot": "0.000200"}


@pytest.fixture
def venue(bybit):
    bybit.flatten()
    yield bybit
    bybit.flatten()
    bybit.close()


def questions_of(venue, category):
    """Return the engine's questions about the client's account."""
    settings = SimpleNamespace(
        venue=f"bybit_{category}", recv_window_ms=5000,
        rest_url=f"http://127.0.0.1:{venue.rest_port}",
    )  # fmt: skip
    return AccountQuestions(settings, Credentials(venue.key, venue.secret.encode()), None)


def create(venue, order):
    body = venue.http("POST", CREATE, order)[2]
    assert body["retCode"] == 0, body
    return body["result"]["orderId"]


@pytest.mark.parametrize("category", QTYS)
def test_all_open_orders_are_found_and_can_be_cancelled(venue, category):
    price = f"{venue.touch(category)[0] - 3000:.1f}"
    same = {"category": category, "qty": QTYS[category]}
    placed = {create(venue, limit_order(price, **same)) for _ in range(ORDERS)}
    questions = questions_of(venue, category)
    ask = questions.venue.open_orders(questions.asker(), "BTCUSDT")
    assert len(list(questions.pages(ask))) == 3
    rows = questions.rows(ask, questions.venue.read_open_orders)
    assert {row.venue_order_id for row in rows} == placed
    assert questions.open_count("BTCUSDT") == ORDERS
    assert questions.cancel_all("BTCUSDT") == ORDERS
    assert questions.open_count("BTCUSDT") == 0


@pytest.mark.parametrize("category", QTYS)
def test_all_fills_since_a_mark_are_found_oldest_first(venue, category):
    """Also those that happen while the pages are read."""
    questions = questions_of(venue, category)
    order = {"category": category, "qty": QTYS[category], "marketUnit": "baseCoin"}
    create(venue, market_order(**order))
    newest = questions.newest_fill_answer(
        {"symbol": b"BTCUSDT", "instrument_id": 0}
    )  # of one page, though there is another
    since_ms = int(newest["venue_ns"][0]) // 10**6
    ids = [create(venue, market_order(**order, side=("Sell", "Buy")[n % 2])) for n in range(FILLS)]
    ask = questions.venue.fills(questions.asker(), "BTCUSDT", str(since_ms))
    bodies = []
    for body in questions.pages(ask):
        bodies.append(body)
        ids.append(create(venue, market_order(**order)))
    assert len(bodies) >= 3
    seen = [fill for body in reversed(bodies) for fill in questions.venue.read_fills(body)]
    fills = questions.rows(ask, questions.venue.read_fills)
    assert [fill.time_ms for fill in fills] == sorted(fill.time_ms for fill in fills)
    trade_ids = [fill.trade_id for fill in fills]
    assert len(trade_ids) == len(set(trade_ids)) >= FILLS
    assert [fill.trade_id for fill in seen] == trade_ids[: len(seen)], (
        "no row moved to another page"
    )
    # The fills of the first order may be of the same millisecond as the mark.
    filled = sum(Decimal(fill.qty) for fill in fills)
    assert 0 <= filled - Decimal(QTYS[category]) * len(ids) <= Decimal(QTYS[category])
