"""The difference between the wanted and the open quotes, and how events change the latter."""

import numpy as np
import pytest
from builders import record_of
from hypothesis import given, settings
from hypothesis import strategies as st
from order_side import Quotes

from vortex.codes import Kind, OrderState, Reject, Side
from vortex.orders.quoting import BID_QUOTE_COUNT, QUOTE_COUNT, quote_side
from vortex.records import ORDER, ORDER_EVENT

NOW_NS = 1_000_000
PAUSE_NS = 500

place = st.tuples(st.integers(90, 110), st.integers(1, 8))
quotes_strategy = st.dictionaries(st.integers(0, QUOTE_COUNT - 1), place)


def event(kind, index=0, **fields):
    """Return one event of the gateway."""
    return record_of(ORDER_EVENT, kind=kind, quote_index=index, **fields)[0]


def acknowledged_quotes(open_quotes, **settings_):
    """Return quotes of which ``open_quotes`` were acknowledged, numbered from 100 on."""
    quotes = Quotes(**settings_)
    for index, (price_ticks, qty_lots) in open_quotes.items():
        fields = {"price_ticks": price_ticks, "remaining_lots": qty_lots}
        quotes.hear(event(Kind.ACKED, index, order_id=100 + index, **fields), NOW_NS)
    return quotes


def succeed(quotes, request, order_id):
    """Publish the request's success as the gateway would."""
    index, kind = int(request["quote_index"]), request["kind"]
    if kind == Kind.CANCEL:
        over = event(Kind.CANCELED, index, order_id=request["order_id"], request_kind=kind)
        quotes.hear(over, NOW_NS)
        return
    if kind == Kind.REPLACE:
        quotes.hear(event(Kind.CANCELED, index, order_id=request["order_id"]), NOW_NS)
    fields = {"price_ticks": request["price_ticks"], "remaining_lots": request["qty_lots"]}
    quotes.hear(event(Kind.ACKED, index, order_id=order_id, request_kind=kind, **fields), NOW_NS)


@settings(max_examples=100, print_blob=True)
@given(quotes_strategy, quotes_strategy, st.integers(0, 4))
def test_requests_that_succeed_turn_the_open_quotes_into_the_wanted(wanted, open_quotes, reprice):
    quotes = acknowledged_quotes(open_quotes, reprice_ticks_min=reprice)
    quotes.want(wanted)
    requests = quotes.requests(NOW_NS)
    kinds = [Kind(request["kind"]) for request in requests]
    cancel_count = kinds.count(Kind.CANCEL)
    assert all(kind == Kind.CANCEL for kind in kinds[:cancel_count]), "cancels come first"
    indices = [int(request["quote_index"]) for request in requests]
    assert len(indices) == len(set(indices)), "one request a quote"
    assert not len(quotes.requests(NOW_NS)), "nothing while these are unanswered"
    for number, request in enumerate(requests):
        index = int(request["quote_index"])
        assert request["side"] == quote_side(index)
        expected = Kind.REPLACE if index in open_quotes else Kind.PLACE
        assert request["kind"] == (expected if index in wanted else Kind.CANCEL)
        assert request["order_id"] == (100 + index if index in open_quotes else 0)
        if index in wanted:
            assert (request["price_ticks"], request["qty_lots"]) == wanted[index]
        succeed(quotes, request, 1_000 + number)
    assert not len(quotes.requests(NOW_NS)), "nothing is left to do"
    found = quotes.open_quotes()
    assert found.keys() == wanted.keys()
    for index, (price_ticks, qty_lots) in wanted.items():
        if index in indices:
            assert found[index] == (price_ticks, qty_lots)
        else:  # near enough to keep its price and its place in the queue
            assert found[index] == open_quotes[index]
            moved_ticks = abs(found[index][0] - price_ticks)
            assert moved_ticks == 0 or moved_ticks < reprice
            assert qty_lots / 2 <= found[index][1] <= qty_lots


@pytest.mark.parametrize(
    ("open_quotes", "wanted", "kind"),
    [
        ((100, 10), (100, 10), None),
        ((100, 10), (102, 10), None),  # less than the smallest move
        ((100, 10), (103, 10), Kind.REPLACE),
        ((100, 10), (97, 10), Kind.REPLACE),
        ((100, 5), (100, 10), None),  # half is left
        ((100, 4), (100, 10), Kind.REPLACE),
        ((100, 11), (100, 10), Kind.REPLACE),  # never more than is wanted
    ],
)
def test_a_quote_moves_when_it_is_worth_a_request(open_quotes, wanted, kind):
    quotes = acknowledged_quotes({0: open_quotes}, reprice_ticks_min=3)
    quotes.want({0: wanted})
    assert [request["kind"] for request in quotes.requests(NOW_NS)] == ([kind] if kind else [])


def test_a_refused_quote_rests_for_a_while():
    quotes = Quotes(reject_pause_ns=PAUSE_NS)
    quotes.want({0: (100, 1), 4: (110, 1)})
    assert len(quotes.requests(NOW_NS)) == 2
    refusal = event(Kind.REJECTED, 0, request_kind=Kind.PLACE, reason=Reject.VENUE_WOULD_TAKE)
    quotes.hear(refusal, NOW_NS)
    assert not len(quotes.requests(NOW_NS + PAUSE_NS - 1))
    assert [request["quote_index"] for request in quotes.requests(NOW_NS + PAUSE_NS)] == [0]
    assert quotes.standing["reject_count"] == 1
    assert quotes.standing["request_count"] == 3


def test_a_request_about_an_order_that_is_gone_forgets_it_at_once():
    quotes = acknowledged_quotes({0: (100, 5)}, reject_pause_ns=PAUSE_NS)
    quotes.want({0: (103, 5)})
    assert quotes.requests(NOW_NS)[0]["kind"] == Kind.REPLACE
    gone = {"request_kind": Kind.REPLACE, "reason": Reject.NO_SUCH_ORDER}
    quotes.hear(event(Kind.REJECTED, 0, order_id=100, **gone), NOW_NS)
    assert not quotes.open_quotes()
    assert quotes.requests(NOW_NS)[0]["kind"] == Kind.PLACE


def test_a_quote_whose_answer_is_unknown_is_left_alone():
    quotes = Quotes()
    quotes.want({0: (100, 5)})
    assert len(quotes.requests(NOW_NS)) == 1
    quotes.hear(event(Kind.UNKNOWN, 0, order_id=9), NOW_NS)
    assert not len(quotes.requests(NOW_NS + 10**12))


def test_a_fill_reduces_the_open_quote_and_the_last_one_ends_it():
    quotes = acknowledged_quotes({0: (100, 8), 4: (110, 8)})
    quotes.hear(event(Kind.FILLED, 0, order_id=100, remaining_lots=5), NOW_NS)
    assert quotes.open_quotes() == {0: (100, 5), 4: (110, 8)}
    quotes.hear(event(Kind.FILLED, 0, order_id=77, remaining_lots=0), NOW_NS)
    assert quotes.open_quotes() == {0: (100, 5), 4: (110, 8)}, "a fill of an order of the past"
    quotes.hear(event(Kind.FILLED, 0, order_id=100, remaining_lots=0), NOW_NS)
    assert quotes.open_quotes() == {4: (110, 8)}


@pytest.mark.parametrize("kind", [Kind.CANCELED, Kind.EXPIRED])
def test_an_order_that_ended_is_placed_again(kind):
    quotes = acknowledged_quotes({0: (100, 8)})
    quotes.want({0: (100, 8)})
    quotes.hear(event(kind, 0, order_id=55), NOW_NS)
    assert quotes.open_quotes(), "another order's end"
    quotes.hear(event(kind, 0, order_id=100), NOW_NS)
    assert not quotes.open_quotes()
    assert [request["kind"] for request in quotes.requests(NOW_NS)] == [Kind.PLACE]


@pytest.mark.parametrize("is_heard", [True, False])
def test_a_halt_stops_requests_and_the_resumption_starts_from_nothing(is_heard):
    quotes = acknowledged_quotes({0: (100, 8)})
    quotes.want({0: (101, 8), 4: (110, 8)})
    assert len(quotes.requests(NOW_NS)) == 2
    if is_heard:  # the event may have been lost with others
        quotes.hear(event(Kind.HALTED), NOW_NS)
        assert not len(quotes.requests(NOW_NS))
        quotes.hear(event(Kind.ACKED, 4, order_id=9, request_kind=Kind.PLACE), NOW_NS)
        assert not len(quotes.requests(NOW_NS))
    quotes.hear(event(Kind.RESUMED), NOW_NS)
    assert not quotes.open_quotes()
    found = {int(request["quote_index"]): request["kind"] for request in quotes.requests(NOW_NS)}
    assert found == {0: Kind.PLACE, 4: Kind.PLACE}


def order(order_id, state, **fields):
    """Return one row of the order table."""
    values = {"quote_index": 0, "price_ticks": order_id, "qty_lots": 10, "filled_lots": 2}
    return record_of(ORDER, order_id=order_id, state=state, **values | fields)[0]


@pytest.mark.parametrize("state", list(OrderState))
def test_a_row_of_the_table_is_restored_when_it_is_or_may_be_open(state):
    quotes = Quotes()
    kind = Kind.PLACE if state in (OrderState.SENT, OrderState.UNKNOWN) else 0
    quotes.restore(order(7, state, request_kind=kind))
    assert quotes.open_quotes() == ({0: (7, 8)} if state == OrderState.RESTING else {})
    assert quotes.standing["request_kind"][0, 0] == kind
    quotes.want({0: (7, 8)})
    is_free = state not in (OrderState.SENT, OrderState.UNKNOWN, OrderState.RESTING)
    assert len(quotes.requests(NOW_NS)) == (1 if is_free else 0)


def test_a_row_just_begun_waits_although_its_request_is_not_noted_yet():
    quotes = Quotes()
    quotes.restore(order(7, OrderState.SENT, request_kind=0))
    quotes.want({0: (7, 8)})
    assert not len(quotes.requests(NOW_NS))


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize(
    ("state", "kind", "open_quotes", "waits"),
    [
        (OrderState.SENT, Kind.REPLACE, {0: (7, 8)}, Kind.REPLACE),
        (OrderState.UNKNOWN, Kind.REPLACE, {0: (7, 8)}, Kind.REPLACE),
        (OrderState.RESTING, 0, {0: (8, 8)}, 0),
        (OrderState.REJECTED, 0, {0: (7, 8)}, 0),
    ],
)
def test_a_replaced_order_gives_way_to_its_successor(state, kind, open_quotes, waits, is_reversed):
    rows = [
        order(7, OrderState.RESTING, request_kind=Kind.REPLACE, replaced_by_id=8),
        order(8, state, request_kind=kind),
    ]
    quotes = Quotes()
    for row in reversed(rows) if is_reversed else rows:
        quotes.restore(row)
    assert quotes.open_quotes() == open_quotes
    assert quotes.standing["request_kind"][0, 0] == waits


def test_half_of_the_quotes_buy_and_half_sell():
    sides = np.array([quote_side(index) for index in range(QUOTE_COUNT)])
    assert (sides[:BID_QUOTE_COUNT] == Side.BUY).all()
    assert (sides[BID_QUOTE_COUNT:] == Side.SELL).all()
