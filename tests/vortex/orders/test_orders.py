"""The order table: what may follow what, and exposure equal to a naive recount."""

import itertools

import pytest
from builders import record_of
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from order_side import row_of, zeros

from ipc.memory import address_of
from vortex.codes import Kind, OrderState, Side
from vortex.orders import order_table
from vortex.orders.order_table import LIFE, ORDER_BYTES, OrderCause
from vortex.records import ORDER, POSITION, REQUEST

FREE, SENT, RESTING, UNKNOWN, FILLED, CANCELED, REJECTED, EXPIRED = OrderState
OPEN = {SENT, RESTING, UNKNOWN}
ENDS = {
    OrderCause.FILLED: FILLED, OrderCause.CANCELED: CANCELED, OrderCause.EXPIRED: EXPIRED,
    OrderCause.REJECTED: REJECTED,
}  # fmt: skip
ASKS = {
    OrderCause.CANCEL: Kind.CANCEL,
    OrderCause.REPLACE_OLD: Kind.REPLACE,
    OrderCause.AMEND: Kind.AMEND,
}
KINDS = (0, Kind.PLACE, Kind.CANCEL, Kind.REPLACE, Kind.AMEND)
ROW_COUNT = 8


def follows(state, kind, cause):
    """What the rules of the venues say, in words; None when it cannot be."""
    is_new = state in (SENT, UNKNOWN) and kind in (Kind.PLACE, Kind.REPLACE)
    is_resting = state == RESTING and kind != Kind.PLACE
    if state == FREE and kind == 0:
        return {
            OrderCause.PLACE: (SENT, Kind.PLACE),
            OrderCause.REPLACE_NEW: (SENT, Kind.REPLACE),
        }.get(cause)
    if is_new and cause == OrderCause.ACKED:
        return RESTING, 0
    if is_new and cause == OrderCause.OVERDUE:
        return (UNKNOWN, kind) if state == SENT else None
    if is_resting and cause == OrderCause.PART_FILLED:
        return state, kind
    if is_resting and kind == 0 and cause in ASKS:
        return state, ASKS[cause]
    if is_resting and kind != 0 and cause == OrderCause.REFUSED:
        return state, 0
    if is_resting and kind == Kind.AMEND and cause == OrderCause.AMENDED:
        return state, 0
    if cause in ENDS and (is_new or (is_resting and cause != OrderCause.REJECTED)):
        return ENDS[cause], 0
    return None


@pytest.mark.parametrize("state", list(OrderState))
@pytest.mark.parametrize("kind", KINDS)
def test_every_pair_changes_as_the_rules_say(state, kind):
    for cause in OrderCause:
        order = record_of(
            ORDER, state=state, request_kind=kind, side=Side.BUY, qty_lots=5,
            amend_price_ticks=8, amend_qty_lots=9,
        )  # fmt: skip
        position = record_of(POSITION, open_order_count=1, open_buy_lots=9)
        expected = follows(state, kind, cause)
        changed = order_table.set_order(address_of(order), address_of(position), cause, 2, 6)
        assert changed == (expected is not None), (state, kind, cause)
        row = order[0]
        if expected is None:
            assert (row["state"], row["request_kind"], row["filled_lots"]) == (state, kind, 0)
            continue
        assert (row["state"], row["request_kind"]) == expected, (state, kind, cause)
        assert row["filled_lots"] == 2
        is_amended = cause == OrderCause.AMENDED
        assert (row["price_ticks"], row["qty_lots"]) == ((8, 9) if is_amended else (0, 5))
        assert (row["amend_qty_lots"] != 0) == (expected[1] == Kind.AMEND)


def test_the_life_of_an_order_is_what_the_rules_say():
    pairs = {(change.state, change.request_kind, change.cause) for change in LIFE}
    assert len(pairs) == len(LIFE)
    for state, kind, cause in itertools.product(OrderState, KINDS, OrderCause):
        assert ((state, kind, cause) in pairs) == (follows(state, kind, cause) is not None)


@pytest.mark.parametrize("state", list(OrderState))
def test_an_order_is_open_while_it_may_rest(state):
    assert order_table.is_open(state) == (state in OPEN)


causes = st.sampled_from(list(OrderCause))


class Table(RuleBasedStateMachine):
    """The compiled table beside a dictionary of rows."""

    def __init__(self):
        super().__init__()
        self.orders, self.position = zeros(ORDER, ROW_COUNT), zeros(POSITION)
        self.address = address_of(self.orders)
        self.model = {}
        self.last_id = 0

    @rule(side=st.sampled_from(list(Side)), qty_lots=st.integers(1, 9), skip=st.integers(0, 9))
    def begin(self, side, qty_lots, skip):
        order_id = order_table.next_order_id(self.address, ROW_COUNT, self.last_id + skip)
        taken = {found % ROW_COUNT for found, row in self.model.items() if row["state"] in OPEN}
        if len(taken) == ROW_COUNT:
            assert order_id == 0, "the table is full"
            return
        expected = self.last_id + skip + 1
        while expected % ROW_COUNT in taken:
            expected += 1
        assert order_id == expected, "the next number whose row is free"
        row_address = order_table.row_of(self.address, ROW_COUNT, order_id)
        assert row_address == self.address + order_id % ROW_COUNT * ORDER_BYTES
        position_address = address_of(self.position)
        request = record_of(REQUEST, quote_index=3, side=side, price_ticks=100, qty_lots=qty_lots)
        order_table.begin_order(
            row_address, position_address, order_id, row_of(request), OrderCause.PLACE, 5
        )
        self.last_id = order_id
        for old_id in [old for old in self.model if old % ROW_COUNT == order_id % ROW_COUNT]:
            del self.model[old_id]
        self.model[order_id] = {
            "state": SENT, "kind": Kind.PLACE, "side": side, "qty": qty_lots,
            "filled": 0, "amend": 0,
        }  # fmt: skip

    @rule(pick=st.integers(0, 99), cause=causes, lots=st.integers(0, 12))
    def change(self, pick, cause, lots):
        if not self.model:
            return
        order_id = sorted(self.model)[pick % len(self.model)]
        row = self.model[order_id]
        row_address = order_table.find_order(self.address, ROW_COUNT, order_id)
        position_address = address_of(self.position)
        expected = follows(row["state"], row["kind"], cause)
        if cause == OrderCause.AMEND:
            changed = order_table.begin_amendment(row_address, position_address, 7, lots, 9)
        else:
            changed = order_table.set_order(row_address, position_address, cause, lots, 9)
        assert changed == (expected is not None)
        if expected is None:
            return
        if cause == OrderCause.AMENDED:
            row["qty"] = row["amend"]
        row["state"], row["kind"] = expected
        row["amend"] = row["amend"] if row["kind"] == Kind.AMEND else 0
        if cause == OrderCause.AMEND:
            row["amend"] = lots
        else:
            row["filled"] = max(row["filled"], lots)

    @invariant()
    def the_rows_are_those_of_the_model(self):
        for order_id, row in self.model.items():
            found = self.orders[order_id % ROW_COUNT]
            assert order_table.find_order(self.address, ROW_COUNT, order_id) != 0
            assert (found["order_id"], found["state"]) == (order_id, row["state"])
            assert (found["filled_lots"], found["qty_lots"]) == (row["filled"], row["qty"])
        assert order_table.find_order(self.address, ROW_COUNT, self.last_id + ROW_COUNT) == 0
        assert order_table.find_order(self.address, ROW_COUNT, 0) == 0

    @invariant()
    def exposure_is_that_of_a_recount(self):
        for side, name in ((Side.BUY, "open_buy_lots"), (Side.SELL, "open_sell_lots")):
            rows = [row for row in self.model.values() if row["side"] == side]
            lots = [
                max(row["qty"] - row["filled"], row["amend"] - row["filled"], 0)
                for row in rows
                if row["state"] in OPEN
            ]
            assert self.position[name] == sum(lots)
        open_count = sum(row["state"] in OPEN for row in self.model.values())
        assert self.position["open_order_count"] == open_count

    @invariant()
    def no_cell_is_left_half_written(self):
        assert not (self.orders["version"] % 2).any()
        assert not (self.position["version"] % 2).any()


TestTable = Table.TestCase
TestTable.settings = settings(max_examples=30, stateful_step_count=40, print_blob=True)
