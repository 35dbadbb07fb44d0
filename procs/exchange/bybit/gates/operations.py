"""What a request may do with orders: the same for the trade socket and for HTTP.

*Source:* the venue's documents, "Place Order", "Amend Order", "Cancel Order", "Cancel All Orders"
and the batches of them.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from procs.exchange.accounts.desks import Desks
from procs.exchange.accounts.journal import OrderRequestRow
from procs.exchange.accounts.venue import Venue
from procs.exchange.bybit.desk.bybit_desk import BybitDesk
from procs.exchange.bybit.desk.bybit_rows import category_of
from procs.exchange.bybit.texts.bybit_refusals import (
    TOO_MANY_VISITS,
    UNKNOWN_OUTCOME,
    BybitRefusal,
    bad_parameter,
)
from procs.exchange.bybit.texts.order_requests import Parameters, read_category
from procs.exchange.core.exchange_order import Order
from procs.exchange.faults.faults import Revoke, TimeOut

BATCH_MAX = {"linear": 20, "spot": 10}
ALL_MAX = 500


class Acceptance(NamedTuple):
    """What an operation gave: the result, and what the answer says beside it."""

    result: dict[str, Any]
    extra: dict[str, Any]


def ids_of(order: Order) -> dict[str, str]:
    """Return the ids of an order."""
    return {"orderId": order.public_id, "orderLinkId": order.client_order_id}


class Operations:
    """Carries out requests for all accounts."""

    def __init__(self, venue: Venue, desks: Desks[BybitDesk]) -> None:
        self.venue = venue
        self.desks = desks
        self._single: dict[str, Callable[[BybitDesk, str, Parameters], Order]] = {
            "create": BybitDesk.create,
            "amend": BybitDesk.amend,
            "cancel": BybitDesk.cancel,
        }

    def check_key(self, owner_id: int) -> None:
        """Refuse an account whose key a fault has revoked."""
        if self.venue.faults.standing(Revoke, lambda fault: fault.account == owner_id):
            raise BybitRefusal(10003, "API key is invalid.")

    def check_number(self, via: str) -> None:
        """Refuse a request for the number of its like, where a fault says so."""
        fault = self.venue.faults.refusal(via)
        if fault is not None and fault.status == 418:
            raise BybitRefusal(10403, "access too frequent", status=403)
        if fault is not None:
            raise BybitRefusal(10006, TOO_MANY_VISITS)

    def call(self, owner_id: int, kind: str, parameters: Parameters) -> Acceptance:
        """Carry out one request; raises the venue's refusal.

        ``kind`` is create, amend or cancel, one of these with `-batch`, or cancel-all.
        """
        desk = self.desks.of(owner_id)
        category = read_category(parameters)
        recv_ns, code = time.monotonic_ns(), 0
        try:
            if kind.endswith("-batch"):
                outcome = self._batch(desk, category, kind, parameters)
            else:
                desk.budgets.take(category, kind)
                outcome = self._one(desk, category, kind, parameters)
        except BybitRefusal as error:
            code = error.code
            raise
        finally:
            desk.trim()
            self._keep(recv_ns, owner_id, kind, parameters, code)
        if self.venue.faults.strikes(TimeOut, lambda fault: fault.account in (0, owner_id)):
            raise UNKNOWN_OUTCOME
        return outcome

    def _one(self, desk: BybitDesk, category: str, kind: str, parameters: Parameters) -> Acceptance:
        if kind == "cancel-all":
            return Acceptance(self._cancel_all(desk, category, parameters), {})
        return Acceptance(ids_of(self._single[kind](desk, category, parameters)), {})

    def _cancel_all(self, desk: BybitDesk, category: str, parameters: Parameters) -> dict[str, Any]:
        names = {name: parameters.get(name) for name in ("symbol", "baseCoin", "settleCoin")}
        if category == "linear" and not any(names.values()):
            raise bad_parameter("params error: symbol, baseCoin or settleCoin is required")
        orders = [
            order
            for order in desk.open_orders.values()
            if category_of(order.instrument) == category
            and names["symbol"] in (None, "", order.instrument.symbol)
            and names["baseCoin"] in (None, "", order.instrument.base_asset)
            and names["settleCoin"] in (None, "", order.instrument.quote_asset)
        ][:ALL_MAX]
        for order in orders:
            desk.take_away(order, "CancelByUser")
        return {"list": [ids_of(order) for order in orders], "success": "1"}

    def _batch(
        self, desk: BybitDesk, category: str, kind: str, parameters: Parameters
    ) -> Acceptance:
        """Carry out a batch: what is over the limit fails, the rest does not."""
        items = parameters.get("request")
        if not isinstance(items, list) or not 0 < len(items) <= BATCH_MAX[category]:
            raise bad_parameter("params error: request invalid")
        if not all(isinstance(item, dict) for item in items):
            raise bad_parameter("params error: request invalid")
        single = kind.removesuffix("-batch")
        rows, results = [], []
        for item in items:
            row = {"category": category, "symbol": str(item.get("symbol", ""))}
            row |= {"orderId": "", "orderLinkId": str(item.get("orderLinkId", ""))}
            result = {"code": 0, "msg": "OK"}
            try:
                desk.budgets.take(category, kind)
                order = self._single[single](desk, category, {**item, "category": category})
                row |= ids_of(order)
            except BybitRefusal as error:
                result = {"code": error.code, "msg": error.message}
            if kind == "create-batch":
                row["createAt"] = str(self.venue.clock.now_ms()) if row["orderId"] else ""
            rows.append(row)
            results.append(result)
        return Acceptance({"list": rows}, {"list": results})

    def _keep(
        self, recv_ns: int, owner_id: int, kind: str, parameters: Parameters, code: int
    ) -> None:
        journal = self.venue.journal
        if journal is None:
            return
        link_id = str(parameters.get("orderLinkId", ""))
        is_new = kind.startswith("create")
        journal.add_request(
            OrderRequestRow(
                recv_ns,
                owner_id,
                f"order.{kind}",
                str(parameters.get("symbol", "")),
                link_id if is_new else "",
                "" if is_new else link_id or str(parameters.get("orderId", "")),
                code,
            )
        )
