"""Orders that are cancelled when an account's connections are gone (DCP).

*Source:* the venue's documents, "Set Disconnect Cancel All" and the topic `dcp`.
"""

import asyncio
from typing import Any

from procs.exchange.accounts.desks import Desks
from procs.exchange.bybit.desk.bybit_desk import BybitDesk
from procs.exchange.bybit.desk.bybit_rows import category_of
from procs.exchange.bybit.texts.bybit_refusals import bad_parameter
from procs.exchange.bybit.texts.order_requests import Parameters

TOPICS = {"dcp.spot": "spot", "dcp.future": "linear"}
PRODUCTS = {"SPOT": "spot", "DERIVATIVES": "linear"}
WINDOW_S_MIN, WINDOW_S_MAX = 3, 300


class DisconnectWatch:
    """Counts the connections that hold an account's orders of a category."""

    def __init__(self, desks: Desks[BybitDesk]) -> None:
        self._desks = desks
        self._window_s: dict[tuple[int, str], int] = {}
        self._held: dict[tuple[int, str], set[object]] = {}

    def set_window(self, owner_id: int, parameters: Parameters) -> dict[str, Any]:
        """Take the time after which the orders of an account are cancelled."""
        product = parameters.get("product", "DERIVATIVES")
        window_s = parameters.get("timeWindow")
        if not isinstance(product, str) or product not in PRODUCTS:
            raise bad_parameter("params error: product invalid")
        if not isinstance(window_s, int) or not WINDOW_S_MIN <= window_s <= WINDOW_S_MAX:
            raise bad_parameter("params error: timeWindow invalid")
        self._window_s[owner_id, PRODUCTS[product]] = window_s
        return {}

    def windows(self, owner_id: int) -> dict[str, Any]:
        """Return what is set for an account."""
        infos = [
            {"product": product, "dcpStatus": "ON", "timeWindow": str(window_s)}
            for product, category in PRODUCTS.items()
            if (window_s := self._window_s.get((owner_id, category)))
        ]
        return {"dcpInfos": infos}

    def hold(self, connection: object, owner_id: int, topic: str) -> None:
        """Let a connection hold an account's orders."""
        self._held.setdefault((owner_id, TOPICS[topic]), set()).add(connection)

    def forget(self, connection: object, owner_id: int) -> None:
        """Drop a connection; where it was the last one, the time begins to run."""
        for (owner, category), held in self._held.items():
            if owner != owner_id or connection not in held:
                continue
            held.discard(connection)
            window_s = self._window_s.get((owner, category), 0)
            if not held and window_s:
                loop = asyncio.get_running_loop()
                loop.call_later(window_s, self._fire, owner, category)

    def _fire(self, owner_id: int, category: str) -> None:
        if self._held[owner_id, category]:
            return
        desk = self._desks.of(owner_id)
        for order in list(desk.open_orders.values()):
            if category_of(order.instrument) == category:
                desk.take_away(order, "CancelByDCP")
