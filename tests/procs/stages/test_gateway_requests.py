"""What the gateway makes of a REPLACE for each kind of venue, and of what several replies say."""

import numpy as np
import pytest
from builders import record_of
from order_side import OrderDesk, row_of

from ipc.memory import address_of, record_at
from procs.stages.gateway.answers import mark_accepted
from procs.stages.gateway.context import CONTEXT, Replaces
from procs.stages.gateway.requests import check_exposure, map_replace
from vortex.codes import Answer, Kind, OrderForce, Outcome, Reject, Side
from vortex.orders.limits import LIMITS
from vortex.records import ANSWER, REQUEST

CONTEXT_DTYPE = CONTEXT.dtype


class Gateway:
    """A gateway's context with an order of 10 lots at 100, of which 4 are filled."""

    def __init__(self, replacing: Replaces, is_amend_known: bool) -> None:
        self.desk = OrderDesk()
        self.desk.placed(self.desk.submit(Kind.PLACE))
        self.order_id = self.desk.last_order_id
        self.desk.trade(self.order_id, 1, 4, 4)
        self.limits = record_of(
            LIMITS, qty_lots_max=10, notional_max=10**9, position_lots_max=12, open_orders_max=1
        )
        self.context = np.zeros(1, CONTEXT.dtype)
        self.context["desk_address"] = self.desk.address
        self.context["limits_address"] = address_of(self.limits)
        self.context["replacing"] = replacing
        self.context["is_amend_known"] = is_amend_known

    def replace(self, price_ticks: int, qty_lots: int, **fields: int) -> "np.void":
        """Return what becomes of a REPLACE."""
        request = record_of(
            REQUEST, kind=Kind.REPLACE, order_id=self.order_id, side=Side.BUY,
            price_ticks=price_ticks, qty_lots=qty_lots, **fields,
        )  # fmt: skip
        map_replace(record_at(address_of(self.context), CONTEXT_DTYPE), row_of(request))
        return request[0]

    def exposure(self, request: "np.void") -> int:
        """Return why the size of a request is too much."""
        record = np.array([request], REQUEST.dtype)
        return check_exposure(record_at(address_of(self.context), CONTEXT_DTYPE), row_of(record))


NEW, AMEND, NONE = Replaces.CANCEL_AND_NEW, Replaces.AMEND, Replaces.NONE


@pytest.mark.parametrize(
    ("replacing", "is_amend_known", "price_ticks", "qty_lots", "kind", "sent_lots"),
    [
        (NEW, False, 101, 6, Kind.REPLACE, 6),
        (NEW, True, 101, 5, Kind.REPLACE, 5),
        (NEW, True, 100, 5, Kind.AMEND, 9),  # the place in the queue stays
        (NEW, True, 100, 6, Kind.REPLACE, 6),  # no smaller than what is open
        (NEW, False, 100, 5, Kind.REPLACE, 5),
        (AMEND, True, 101, 8, Kind.AMEND, 12),
        (AMEND, True, 100, 5, Kind.AMEND, 9),
        (NONE, False, 101, 6, Kind.CANCEL, 6),
    ],
)
def test_a_replace_is_what_the_venue_has_for_it(
    replacing: Replaces, is_amend_known: bool, price_ticks: int, qty_lots: int, kind: Kind,
    sent_lots: int,
) -> None:  # fmt: skip
    request = Gateway(replacing, is_amend_known).replace(price_ticks, qty_lots)
    assert (Kind(request["kind"]), request["qty_lots"]) == (kind, sent_lots)


@pytest.mark.parametrize(("replacing", "kind"), [(NEW, Kind.REPLACE), (AMEND, Kind.CANCEL)])
def test_an_order_that_may_take_is_not_amended(replacing: Replaces, kind: Kind) -> None:
    request = Gateway(replacing, True).replace(100, 5, time_in_force=OrderForce.IOC)
    assert request["kind"] == kind, "how long an order may wait cannot be amended"


def test_an_amendment_counts_what_it_adds() -> None:
    gateway = Gateway(AMEND, True)  # holds 4, and 6 more are open: 12 is the most
    assert gateway.exposure(gateway.replace(101, 8)) == Reject.NONE
    assert gateway.exposure(gateway.replace(101, 9)) == Reject.POSITION
    assert gateway.exposure(gateway.replace(101, 11)) == Reject.ORDER_SIZE


@pytest.mark.parametrize("kind", [Answer.REPLY, Answer.EXECUTION])
def test_where_a_good_reply_only_accepts_it_says_no_more(kind: Answer) -> None:
    answer = record_of(
        ANSWER, kind=kind, place_outcome=Outcome.SUCCESS, cancel_outcome=Outcome.FAILURE
    )
    mark_accepted(row_of(answer))
    expected = Outcome.ACCEPTED if kind == Answer.REPLY else Outcome.SUCCESS
    assert (answer["place_outcome"][0], answer["cancel_outcome"][0]) == (expected, Outcome.FAILURE)
