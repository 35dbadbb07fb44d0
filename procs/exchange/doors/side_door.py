"""The exchange's own side door: faults on demand, and the books for an audit.

Not the venue's, unsigned, and there only when asked for: `--audit` opens the books, `--faults`
opens both.

POST   /vortex/faults   arm the fault in the body; its number
GET    /vortex/faults   all that was armed, how often each struck, and whether it is over
DELETE /vortex/faults   end all faults
GET    /vortex/audit    accounts with positions, and every order request, order and fill
"""

from typing import Any

import msgspec
from aiohttp import web

from procs.exchange.accounts.desks import Desks
from procs.exchange.accounts.journal import Journal
from procs.exchange.accounts.ledger import Ledger
from procs.exchange.accounts.venue import Venue
from procs.exchange.core.instrument import text_e8
from procs.exchange.doors.json_answers import json_response
from procs.exchange.faults.arming import Faults


def positions(desk: Ledger) -> dict[str, str]:
    """Return an account's positions in base units as decimals, by the keys of the symbols."""
    rows = {}
    for key, market in desk.venue.markets.items():
        lots = desk.positions_lots.get(key, 0)
        text = market.instrument.qty_text(abs(lots))
        rows[key] = text if lots >= 0 else f"-{text}"
    return rows


def account_rows(desks: Desks[Any]) -> list[dict[str, Any]]:
    """Return each account's positions, balances and open orders."""
    return [
        {
            "account": desk.owner_id,
            "positions": positions(desk),
            "balances": desk.account.rows(),
            "open_orders": [desk.order_row(order) for order in desk.open_orders.values()],
        }
        for desk in desks
    ]


def desk_status(desk: Ledger) -> dict[str, Any]:
    """Return what happened to an account so far, in numbers."""
    return {
        "orders_received": desk.order_count,
        "fill_count": desk.fill_count,
        "open_order_count": len(desk.open_orders),
        "balances": desk.account.rows(),
        "fees": {asset: text_e8(fee) for asset, fee in desk.account.fees_e8.items()},
        "positions": positions(desk),
    }


def desk_rows(desk: Ledger) -> dict[str, Any]:
    """Return every fill and open order of an account."""
    fills = {
        key: [row for order in orders for row in desk.fill_rows(order)]
        for key, orders in desk.filled.items()
    }
    open_orders = [desk.order_row(order) for order in desk.open_orders.values()]
    return {"fills": fills, "open_orders": open_orders}


class FaultRoutes:
    """The routes that arm faults, list them and end them."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def add_to(self, application: web.Application) -> None:
        """Open the routes."""
        application.router.add_post("/vortex/faults", self._arm)
        application.router.add_get("/vortex/faults", self._tell)
        application.router.add_delete("/vortex/faults", self._clear)

    async def _arm(self, request: web.Request) -> web.Response:
        try:
            number = self._faults.arm(await request.read())
        except (msgspec.DecodeError, ValueError) as error:
            return json_response(400, {"error": str(error)})
        return json_response(200, {"id": number})

    async def _tell(self, _: web.Request) -> web.Response:
        return json_response(200, self._faults.rows())

    async def _clear(self, _: web.Request) -> web.Response:
        self._faults.clear()
        return json_response(200, {})


def add_audit(application: web.Application, desks: Desks[Any], journal: Journal) -> None:
    """Open the route to the books."""

    async def show(_: web.Request) -> web.Response:
        return json_response(200, journal.books(account_rows(desks)))

    application.router.add_get("/vortex/audit", show)


def add_side_door(
    application: web.Application, venue: Venue, desks: Desks[Any], *, has_faults: bool
) -> None:
    """Open the books where a journal is kept, and the faults where they are wanted."""
    if venue.journal is not None:
        add_audit(application, desks, venue.journal)
    if has_faults:
        FaultRoutes(venue.faults).add_to(application)
