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
from procs.exchange.accounts.order_rows import status_row
from procs.exchange.accounts.venue import Venue
from procs.exchange.doors.rest import json_response
from procs.exchange.faults.arming import Faults


def position_text(venue: Venue, symbol: str, lots: int) -> str:
    """Return a position in base units as a decimal."""
    text = venue.market(symbol).instrument.qty_text(abs(lots))
    return text if lots >= 0 else f"-{text}"


def account_rows(venue: Venue, desks: Desks) -> list[dict[str, Any]]:
    """Return each account's positions, balances and open orders."""
    return [
        {
            "account": desk.owner_id,
            "positions": {
                symbol: position_text(venue, symbol, desk.positions_lots.get(symbol, 0))
                for symbol in venue.markets
            },
            "balances": desk.account.status(False, desk.owner_id)["balances"],
            "open_orders": [status_row(order) for order in desk.open_orders.values()],
        }
        for desk in desks
    ]


class FaultRoutes:
    """The routes that arm faults, tell of them and end them."""

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
        except msgspec.DecodeError as error:
            return json_response(400, {"error": str(error)})
        return json_response(200, {"id": number})

    async def _tell(self, _: web.Request) -> web.Response:
        return json_response(200, self._faults.rows())

    async def _clear(self, _: web.Request) -> web.Response:
        self._faults.clear()
        return json_response(200, {})


class AuditRoute:
    """The route that opens the books."""

    def __init__(self, venue: Venue, desks: Desks, journal: Journal) -> None:
        self._venue = venue
        self._desks = desks
        self._journal = journal

    def add_to(self, application: web.Application) -> None:
        """Open the route."""
        application.router.add_get("/vortex/audit", self._tell)

    async def _tell(self, _: web.Request) -> web.Response:
        return json_response(200, self._journal.books(account_rows(self._venue, self._desks)))
