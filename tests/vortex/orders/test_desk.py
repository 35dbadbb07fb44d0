"""The desk: one event for each change, in whatever order the venue's reply and report arrive."""

import itertools

import pytest
from order_side import OrderDesk

from vortex.codes import Answer, Execution, FeeAsset, Kind, OrderState, Outcome, Reject
from vortex.orders import desk, desk_tables


def kinds_of(events):
    """Return (kind, request answered) of each event."""
    return [(Kind(event["kind"]), int(event["request_kind"])) for event in events]


def resting(the_desk, qty_lots=10):
    """Return the number of an order that was placed and acknowledged."""
    request_id = the_desk.submit(Kind.PLACE, qty_lots=qty_lots)
    the_desk.placed(request_id)
    the_desk.events.clear()
    return the_desk.last_order_id


def state_of(the_desk, order_id):
    return OrderState(the_desk.row(order_id)["state"])


def in_stream_order(steps, stream):
    """Return whether the reports among ``steps`` keep the order of their stream."""
    places = [steps.index(name) for name in stream if name in steps]
    return places == sorted(places)


def orders_of(*steps, stream):
    """Return every order of arrival that one stream of reports allows."""
    found = itertools.permutations(steps)
    return [steps for steps in found if in_stream_order(steps, stream)]


@pytest.mark.parametrize(
    "steps", orders_of("reply", "new", "trade", stream=("new", "trade")), ids=",".join
)
def test_a_placed_order_is_acknowledged_once_and_filled_once(steps):
    the_desk = OrderDesk()
    request_id = the_desk.submit(Kind.PLACE)
    order_id = the_desk.last_order_id
    for step in steps * 2:  # and everything twice
        if step == "reply":
            the_desk.placed(request_id)
        elif step == "new":
            the_desk.report(Execution.NEW, order_id)
        else:
            the_desk.trade(order_id, 7, 10, 10)
        the_desk.check_exposure()
    assert kinds_of(the_desk.events) == [(Kind.ACKED, Kind.PLACE), (Kind.FILLED, 0)]
    assert the_desk.positions["base_lots"][0] == 10
    assert state_of(the_desk, order_id) == OrderState.FILLED
    assert the_desk.desk["late_count"] == 1, "the second reply"


@pytest.mark.parametrize(
    "steps",
    orders_of("reply", "new", "part", "canceled", stream=("new", "part", "canceled")),
    ids=",".join,
)
def test_a_cancel_waits_for_the_fills_that_came_before_it(steps):
    the_desk = OrderDesk()
    placed = the_desk.submit(Kind.PLACE)
    order_id = the_desk.last_order_id
    the_desk.placed(placed)
    request_id = the_desk.submit(Kind.CANCEL, order_id=order_id)
    position = the_desk.positions[0]
    for step in steps:
        if step == "reply":
            the_desk.reply(
                request_id, cancel_outcome=Outcome.SUCCESS, canceled_filled_lots=4, filled_lots=4
            )
        elif step == "new":
            the_desk.report(Execution.NEW, order_id)
        elif step == "part":
            the_desk.trade(order_id, 7, 4, 4)
        else:
            the_desk.report(Execution.CANCELED, order_id, filled_lots=4)
        the_desk.check_exposure()
        assert position["base_lots"] + position["open_buy_lots"] >= 4, "what it may become"
    assert kinds_of(the_desk.events) == [
        (Kind.ACKED, Kind.PLACE),
        (Kind.FILLED, 0),
        (Kind.CANCELED, Kind.CANCEL),
    ]
    assert the_desk.events[-1]["remaining_lots"] == 6
    assert the_desk.positions["base_lots"][0] == 4
    assert state_of(the_desk, order_id) == OrderState.CANCELED


@pytest.mark.parametrize("steps", list(itertools.permutations(("reply", "trade"))), ids=",".join)
def test_a_fill_that_beats_the_cancel_ends_the_wait_once(steps):
    the_desk = OrderDesk()
    order_id = resting(the_desk)
    request_id = the_desk.submit(Kind.CANCEL, order_id=order_id)
    for step in steps:
        if step == "reply":
            the_desk.reply(
                request_id, cancel_outcome=Outcome.FAILURE, reject=Reject.VENUE_UNKNOWN_ORDER
            )
        else:
            the_desk.trade(order_id, 7, 10, 10)
    assert kinds_of(the_desk.events) == [(Kind.FILLED, Kind.CANCEL)]
    assert the_desk.positions["base_lots"][0] == 10
    assert state_of(the_desk, order_id) == OrderState.FILLED


def test_a_cancel_that_found_nothing_is_asked_about_when_no_report_comes():
    the_desk = OrderDesk()
    order_id = resting(the_desk)
    request_id = the_desk.submit(Kind.CANCEL, order_id=order_id)
    the_desk.reply(request_id, cancel_outcome=Outcome.FAILURE, reject=Reject.VENUE_UNKNOWN_ORDER)
    assert not the_desk.events
    row_index = desk_tables.next_overdue(the_desk.address, 0, 100, the_desk.now_ns + 200)
    assert the_desk.orders[row_index]["order_id"] == order_id


def test_a_cancel_refused_for_another_reason_ends_the_wait_and_leaves_the_order():
    the_desk = OrderDesk()
    order_id = resting(the_desk)
    request_id = the_desk.submit(Kind.CANCEL, order_id=order_id)
    the_desk.reply(request_id, cancel_outcome=Outcome.FAILURE, reject=Reject.VENUE_THROTTLED)
    assert kinds_of(the_desk.events) == [(Kind.REJECTED, Kind.CANCEL)]
    assert the_desk.events[0]["reason"] == Reject.VENUE_THROTTLED
    assert state_of(the_desk, order_id) == OrderState.RESTING
    assert desk.check_order(the_desk.address, order_id, Kind.CANCEL) == Reject.NONE


@pytest.mark.parametrize(
    "steps", orders_of("reply", "canceled", "new", stream=("canceled", "new")), ids=",".join
)
def test_a_replace_ends_the_old_order_and_acknowledges_the_new_one_once(steps):
    the_desk = OrderDesk()
    old_id = resting(the_desk)
    request_id = the_desk.submit(Kind.REPLACE, order_id=old_id, price_ticks=101)
    new_id = the_desk.last_order_id
    assert the_desk.positions["open_buy_lots"][0] == 20, "both at their worst"
    for step in steps * 2:
        if step == "reply":
            the_desk.reply(
                request_id, cancel_outcome=Outcome.SUCCESS, place_outcome=Outcome.SUCCESS
            )
        elif step == "canceled":
            the_desk.report(Execution.CANCELED, old_id)
        else:
            the_desk.report(Execution.NEW, new_id)
        the_desk.check_exposure()
    assert sorted(kinds_of(the_desk.events)) == [(Kind.ACKED, Kind.REPLACE), (Kind.CANCELED, 0)]
    assert state_of(the_desk, old_id) == OrderState.CANCELED
    assert state_of(the_desk, new_id) == OrderState.RESTING
    assert the_desk.positions["open_buy_lots"][0] == 10


S, F, NOT, UNKNOWN = Outcome.SUCCESS, Outcome.FAILURE, Outcome.NOT_ATTEMPTED, Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("cancel", "place", "reason", "old_state", "new_state"),
    [
        (S, S, Reject.NONE, OrderState.CANCELED, OrderState.RESTING),
        (S, F, Reject.VENUE_WOULD_TAKE, OrderState.CANCELED, OrderState.REJECTED),
        (F, NOT, Reject.VENUE_UNKNOWN_ORDER, OrderState.RESTING, OrderState.REJECTED),
        (F, S, Reject.VENUE_UNKNOWN_ORDER, OrderState.RESTING, OrderState.RESTING),
        (F, F, Reject.VENUE_THROTTLED, OrderState.RESTING, OrderState.REJECTED),
        (S, UNKNOWN, Reject.VENUE_OTHER, OrderState.CANCELED, OrderState.UNKNOWN),
        (UNKNOWN, UNKNOWN, Reject.VENUE_OTHER, OrderState.RESTING, OrderState.UNKNOWN),
        (NOT, NOT, Reject.NONE, OrderState.RESTING, OrderState.UNKNOWN),  # says nothing: no answer
    ],
)
def test_the_outcomes_of_a_replace(cancel, place, reason, old_state, new_state):
    the_desk = OrderDesk()
    old_id = resting(the_desk)
    request_id = the_desk.submit(Kind.REPLACE, order_id=old_id)
    the_desk.reply(request_id, cancel_outcome=cancel, place_outcome=place, reject=reason)
    assert state_of(the_desk, old_id) == old_state
    assert state_of(the_desk, the_desk.last_order_id) == new_state
    answered = [event for event in the_desk.events if event["request_kind"]]
    assert len(answered) == (0 if new_state == OrderState.UNKNOWN else 1)
    the_desk.check_exposure()
    # The old order's status can be queried again at once, unless its end is still to be reported.
    if (cancel, reason) == (F, Reject.VENUE_THROTTLED):
        assert desk.check_order(the_desk.address, old_id, Kind.CANCEL) == Reject.NONE
    elif old_state == OrderState.RESTING:
        assert desk.check_order(the_desk.address, old_id, Kind.CANCEL) == Reject.IN_FLIGHT


def test_a_reply_without_an_outcome_is_no_rejection():
    the_desk = OrderDesk()
    request_id = the_desk.submit(Kind.PLACE)
    the_desk.reply(request_id, status=200)
    assert kinds_of(the_desk.events) == [(Kind.UNKNOWN, 0)]
    assert the_desk.positions["open_buy_lots"][0] == 10, "at its worst until the venue says"


def test_an_acknowledged_order_is_not_rejected_by_a_contradicting_reply():
    the_desk = OrderDesk()
    request_id = the_desk.submit(Kind.PLACE)
    order_id = the_desk.last_order_id
    the_desk.report(Execution.NEW, order_id)
    the_desk.reply(request_id, place_outcome=Outcome.FAILURE, reject=Reject.VENUE_OTHER)
    assert state_of(the_desk, order_id) == OrderState.RESTING
    assert kinds_of(the_desk.events) == [(Kind.ACKED, Kind.PLACE)]


@pytest.mark.parametrize(
    ("fate", "kind", "state"),
    [
        ({"state": OrderState.RESTING}, Kind.ACKED, OrderState.RESTING),
        ({"reject": Reject.VENUE_UNKNOWN_ORDER}, Kind.REJECTED, OrderState.REJECTED),
        ({"state": OrderState.CANCELED}, Kind.CANCELED, OrderState.CANCELED),
        ({"state": OrderState.EXPIRED}, Kind.EXPIRED, OrderState.EXPIRED),
        ({"state": OrderState.FILLED, "filled_lots": 10}, Kind.FILLED, OrderState.FILLED),
    ],
)
@pytest.mark.parametrize("is_late", [False, True])
def test_an_unanswered_order_becomes_what_the_venue_says(fate, kind, state, is_late):
    the_desk = OrderDesk()
    the_desk.submit(Kind.PLACE)
    order_id = the_desk.last_order_id
    if is_late:
        row_index = desk_tables.next_overdue(the_desk.address, 0, 100, the_desk.now_ns + 200)
        the_desk.mark_unknown(row_index)
        assert kinds_of(the_desk.events) == [(Kind.UNKNOWN, 0)]
        the_desk.events.clear()
    the_desk.answer(kind=Answer.FATE, order_id=order_id, **fate)
    assert kinds_of(the_desk.events) == [(kind, Kind.PLACE)]
    assert state_of(the_desk, order_id) == state
    the_desk.check_exposure()


def test_an_order_that_the_venue_forgot_is_over_once_nothing_is_open():
    """A venue that came back without its orders: the open ones are gone, the fills stay."""
    the_desk = OrderDesk()
    order_id = resting(the_desk)
    the_desk.trade(order_id, 7, 4, 4)
    the_desk.events.clear()
    the_desk.answer(kind=Answer.FATE, order_id=order_id, reject=Reject.VENUE_UNKNOWN_ORDER)
    assert kinds_of(the_desk.events) == [(Kind.CANCELED, 0)]
    assert state_of(the_desk, order_id) == OrderState.CANCELED
    assert the_desk.positions["base_lots"][0] == 4
    assert desk_tables.open_order_count(the_desk.address, 1) == 0
    the_desk.check_exposure()


@pytest.mark.parametrize("proof", ["new", "reply", "trade"])
def test_an_order_that_the_venue_denied_and_then_shows_is_a_stray(proof):
    the_desk = OrderDesk()
    request_id = the_desk.submit(Kind.PLACE)
    order_id = the_desk.last_order_id
    the_desk.answer(kind=Answer.FATE, order_id=order_id, reject=Reject.VENUE_UNKNOWN_ORDER)
    assert the_desk.desk["stray_count"] == 0
    if proof == "new":
        the_desk.report(Execution.NEW, order_id)
    elif proof == "reply":
        the_desk.placed(request_id)
    else:
        the_desk.trade(order_id, 7, 10, 10)
        assert the_desk.positions["base_lots"][0] == 10
    assert the_desk.desk["stray_count"] == 1


def test_a_late_failure_of_a_former_request_does_not_end_the_wait_for_the_present_one():
    the_desk = OrderDesk()
    order_id = resting(the_desk)
    first = the_desk.submit(Kind.CANCEL, order_id=order_id)
    the_desk.answer(kind=Answer.FATE, order_id=order_id, state=OrderState.RESTING)
    assert kinds_of(the_desk.events) == [(Kind.REJECTED, Kind.CANCEL)]
    the_desk.submit(Kind.REPLACE, order_id=order_id)
    the_desk.reply(first, cancel_outcome=Outcome.FAILURE, reject=Reject.VENUE_THROTTLED)
    assert len(the_desk.events) == 1
    assert desk.check_order(the_desk.address, order_id, Kind.CANCEL) == Reject.IN_FLIGHT


def test_a_fill_of_a_forgotten_order_still_moves_the_position():
    the_desk = OrderDesk(row_count=2)
    first = resting(the_desk)
    request_id = the_desk.submit(Kind.CANCEL, order_id=first)
    the_desk.reply(request_id, cancel_outcome=Outcome.SUCCESS)
    for _ in range(3):
        last = resting(the_desk)
        request_id = the_desk.submit(Kind.CANCEL, order_id=last)
        the_desk.reply(request_id, cancel_outcome=Outcome.SUCCESS)
    the_desk.events.clear()
    assert desk_tables.find(the_desk.address, first) == 0
    the_desk.trade(first, 9, 3, 3)
    the_desk.trade(first, 9, 3, 3)
    assert the_desk.positions["base_lots"][0] == 3
    assert not the_desk.events
    the_desk.report(Execution.CANCELED, first)
    the_desk.report(Execution.NEW, first)
    assert not the_desk.events
    the_desk.check_exposure()


def test_a_full_table_takes_no_order_and_changes_nothing():
    the_desk = OrderDesk(row_count=2)
    resting(the_desk), resting(the_desk)
    before = the_desk.desk.copy()
    assert the_desk.submit(Kind.PLACE) == 0
    assert (the_desk.desk == before).all()
    assert the_desk.submit(Kind.CANCEL, order_id=the_desk.last_order_id) != 0, "a cancel needs none"


def test_other_peoples_orders_are_none_of_ours():
    the_desk = OrderDesk()
    the_desk.trade(0, 7, 10, 10)
    the_desk.report(Execution.NEW, 0)
    the_desk.report(Execution.CANCELED, 0)
    assert not the_desk.events
    assert the_desk.positions["base_lots"][0] == 0


@pytest.mark.parametrize("newest", [50, -1])
def test_the_fills_of_a_run_begin_after_those_of_the_past(newest):
    the_desk = OrderDesk()
    assert not the_desk.answer(kind=Answer.SINCE, trade_id=newest)
    assert the_desk.positions["last_trade_id"] == newest
    order_id = resting(the_desk)
    if newest > 0:
        the_desk.trade(order_id, newest, 1, 1)
    assert the_desk.positions["fill_count"] == 0
    the_desk.trade(order_id, newest + 1, 2, 3)
    assert the_desk.positions["base_lots"] == 2
    the_desk.answer(kind=Answer.SINCE, trade_id=newest + 9)
    assert the_desk.positions["last_trade_id"] == newest + 1, "what was counted stays counted"


def test_an_accepted_order_goes_on_waiting_until_the_venue_says_that_it_rests():
    the_desk = OrderDesk()
    request_id = the_desk.submit(Kind.PLACE)
    order_id = the_desk.last_order_id
    assert not the_desk.reply(request_id, place_outcome=Outcome.ACCEPTED)
    assert the_desk.row(order_id)["state"] == OrderState.SENT
    assert desk_tables.unanswered_count(the_desk.address) == 0, "the request is answered"
    assert the_desk.positions["open_buy_lots"] == 10, "it counts at its worst"
    late_ns = the_desk.now_ns + 200
    assert desk_tables.next_overdue(the_desk.address, 0, 100, late_ns) == order_id % 16
    (event,) = the_desk.report(Execution.NEW, order_id)
    assert (event["kind"], event["request_kind"]) == (Kind.ACKED, Kind.PLACE)
    assert the_desk.row(order_id)["state"] == OrderState.RESTING


def test_an_accepted_cancel_waits_for_the_report():
    the_desk = OrderDesk()
    order_id = resting(the_desk)
    request_id = the_desk.submit(Kind.CANCEL, order_id=order_id)
    assert not the_desk.reply(request_id, cancel_outcome=Outcome.ACCEPTED)
    assert the_desk.row(order_id)["request_kind"] == Kind.CANCEL
    (event,) = the_desk.report(Execution.CANCELED, order_id)
    assert (event["kind"], event["request_kind"]) == (Kind.CANCELED, Kind.CANCEL)


def amending(price_ticks=101, qty_lots=6):
    """Return a desk, a resting order of 10 lots at 100, and the request that amends it."""
    the_desk = OrderDesk()
    order_id = resting(the_desk)
    request_id = the_desk.submit(
        Kind.AMEND, order_id=order_id, price_ticks=price_ticks, qty_lots=qty_lots
    )
    the_desk.events.clear()
    return the_desk, order_id, request_id


def test_an_amended_order_keeps_its_id():
    the_desk, order_id, request_id = amending()
    assert the_desk.last_order_id == order_id
    assert the_desk.positions["open_buy_lots"] == 10, "the larger of both counts"
    assert desk.check_order(the_desk.address, order_id, Kind.CANCEL) == Reject.IN_FLIGHT
    (event,) = the_desk.reply(request_id, place_outcome=Outcome.SUCCESS)
    fields = ("kind", "request_kind", "order_id", "price_ticks", "remaining_lots")
    assert [event[name] for name in fields] == [Kind.ACKED, Kind.AMEND, order_id, 101, 6]
    assert the_desk.positions["open_buy_lots"] == 6
    the_desk.check_exposure()
    assert not the_desk.report(Execution.REPLACED, order_id, price_ticks=101, qty_lots=6), "once"


def test_an_accepted_amendment_ends_with_the_report_of_it():
    the_desk, order_id, request_id = amending(qty_lots=15)
    assert the_desk.positions["open_buy_lots"] == 15
    assert not the_desk.reply(request_id, place_outcome=Outcome.ACCEPTED)
    assert not the_desk.report(Execution.NEW, order_id, price_ticks=100, qty_lots=10), "of before"
    (fill,) = the_desk.trade(order_id, 1, 4, 4)
    assert (fill["kind"], fill["request_kind"]) == (Kind.FILLED, 0)
    (event,) = the_desk.report(Execution.NEW, order_id, price_ticks=101, qty_lots=15)
    assert (event["kind"], event["request_kind"]) == (Kind.ACKED, Kind.AMEND)
    assert (event["price_ticks"], event["remaining_lots"]) == (101, 11)
    the_desk.check_exposure()


@pytest.mark.parametrize(
    ("reject", "is_over"), [(Reject.VENUE_FILTER, True), (Reject.VENUE_UNKNOWN_ORDER, False)]
)
def test_a_refused_amendment_leaves_the_order_as_it_was(reject, is_over):
    the_desk, order_id, request_id = amending(qty_lots=15)
    events = the_desk.reply(request_id, place_outcome=Outcome.FAILURE, reject=reject)
    assert [event["kind"] for event in events] == ([Kind.REJECTED] if is_over else [])
    row = the_desk.row(order_id)
    assert (row["price_ticks"], row["qty_lots"]) == (100, 10)
    assert row["request_kind"] == (0 if is_over else Kind.AMEND), "its report says what it was"
    assert the_desk.positions["open_buy_lots"] == (10 if is_over else 15)


@pytest.mark.parametrize("is_done", [True, False])
def test_a_status_shows_whether_an_order_was_amended(is_done):
    the_desk, order_id, _ = amending()
    asked = desk_tables.begin_request(
        the_desk.address, Kind.STATUS, 0, order_id, 0, the_desk.now_ns
    )
    price_ticks, qty_lots = (101, 6) if is_done else (100, 10)
    (event,) = the_desk.reply(
        asked, state=OrderState.RESTING, price_ticks=price_ticks, qty_lots=qty_lots
    )
    assert (event["kind"], event["reason"]) == (
        (Kind.ACKED, Reject.NONE) if is_done else (Kind.REJECTED, Reject.VENUE_OTHER)
    )
    assert event["request_kind"] == Kind.AMEND
    assert the_desk.row(order_id)["qty_lots"] == qty_lots


def test_an_order_filled_while_it_is_amended_down_is_over_when_the_venue_says_so():
    the_desk, order_id, _ = amending(qty_lots=6)
    (event,) = the_desk.trade(order_id, 1, 6, 6, state=OrderState.FILLED)
    assert (event["kind"], event["request_kind"]) == (Kind.FILLED, Kind.AMEND)
    assert the_desk.row(order_id)["state"] == OrderState.FILLED
    the_desk.check_exposure()


def test_an_order_that_ends_with_a_reason_before_it_rested_is_refused():
    the_desk = OrderDesk()
    the_desk.submit(Kind.PLACE)
    (event,) = the_desk.report(
        Execution.EXPIRED,
        the_desk.last_order_id,
        state=OrderState.EXPIRED,
        reject=Reject.VENUE_WOULD_TAKE,
    )
    assert (event["kind"], event["reason"]) == (Kind.REJECTED, Reject.VENUE_WOULD_TAKE)


def test_an_event_says_what_the_account_holds_once_the_venue_has_said_it():
    the_desk = OrderDesk()
    order_id = resting(the_desk)
    (event,) = the_desk.trade(order_id, 1, 2, 2)
    assert (event["has_held"], event["held_lots"]) == (0, 0)
    lot_e8 = int(the_desk.instruments["lot_e8"][0])
    assert not the_desk.answer(kind=Answer.HELD, held_e8=50 * lot_e8 + 7)
    assert the_desk.desk["held_change_lots"][0] == 0, "the first word contradicts nothing"
    (event,) = the_desk.trade(order_id, 2, 3, 5)
    assert (event["has_held"], event["held_lots"]) == (1, 53)
    # A fee of one lot in what was bought: the account holds less than was traded.
    (event,) = the_desk.trade(order_id, 3, 4, 9, fee_e8=lot_e8, fee_asset=FeeAsset.BASE)
    assert event["held_lots"] == 56
    for said_lots, change_lots in ((56, 0), (60, 4), (55, -5)):
        the_desk.answer(kind=Answer.HELD, held_e8=said_lots * lot_e8)
        assert the_desk.desk["held_change_lots"][0] == change_lots
