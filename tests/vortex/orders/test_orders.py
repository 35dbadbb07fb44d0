"""The order table: what may follow what, and exposure equal to a naive recount."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from order_side import zeros

from ipc.memory import address_of
from vortex.codes import OrderState, Side
from vortex.orders import order_table
from vortex.orders.order_table import ORDER_BYTES
from vortex.records import ORDER, POSITION

FREE, SENT, RESTING, UNKNOWN, FILLED, CANCELED, REJECTED, EXPIRED = OrderState
#: Written out by hand from the venue's life of an order.
FOLLOWS = {
    FREE: {SENT},
    SENT: {RESTING, UNKNOWN, FILLED, CANCELED, REJECTED, EXPIRED},
    UNKNOWN: {RESTING, FILLED, CANCELED, REJECTED, EXPIRED},
    RESTING: {RESTING, FILLED, CANCELED, EXPIRED},
    FILLED: set(),
    CANCELED: set(),
    REJECTED: set(),
    EXPIRED: set(),
}
OPEN = {SENT, RESTING, UNKNOWN}
ROW_COUNT = 8
states = st.sampled_from(list(OrderState))


@pytest.mark.parametrize("state", list(OrderState))
def test_what_may_follow_what(state):
    assert {later for later in OrderState if order_table.may_follow(state, later)} == FOLLOWS[state]
    assert order_table.is_open(state) == (state in OPEN)


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
        order_table.begin_order(
            row_address, position_address, order_id, 0, 3, side, 100, qty_lots, 5
        )
        self.last_id = order_id
        for old_id in [old for old in self.model if old % ROW_COUNT == order_id % ROW_COUNT]:
            del self.model[old_id]
        self.model[order_id] = {"state": SENT, "side": side, "qty": qty_lots, "filled": 0}

    @rule(pick=st.integers(0, 99), state=states, filled_lots=st.integers(0, 12))
    def change(self, pick, state, filled_lots):
        if not self.model:
            return
        order_id = sorted(self.model)[pick % len(self.model)]
        row = self.model[order_id]
        row_address = order_table.find_order(self.address, ROW_COUNT, order_id)
        may = state == row["state"] or state in FOLLOWS[row["state"]]
        changed = order_table.set_order(
            row_address, address_of(self.position), state, filled_lots, 9
        )
        assert changed == may
        if may:
            row["state"] = state
            row["filled"] = max(row["filled"], filled_lots)

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
            lots = [max(row["qty"] - row["filled"], 0) for row in rows if row["state"] in OPEN]
            assert self.position[name] == sum(lots)
        open_count = sum(row["state"] in OPEN for row in self.model.values())
        assert self.position["open_order_count"] == open_count

    @invariant()
    def no_cell_is_left_half_written(self):
        assert not (self.orders["version"] % 2).any()
        assert not (self.position["version"] % 2).any()


TestTable = Table.TestCase
TestTable.settings = settings(max_examples=30, stateful_step_count=40, print_blob=True)
