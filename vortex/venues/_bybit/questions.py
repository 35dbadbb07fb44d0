"""What is asked of Bybit outside the hot path: signed REST requests of one category.

*Source:* Bybit v5 API documentation, "Integration Guidance": REST authentication; order, position,
account and market endpoints.
"""

from typing import NamedTuple
from urllib.parse import quote

import msgspec
import numpy as np

from ipc.types import RecordArray
from vortex.records import SESSION
from vortex.venues.contract import AccountFill, Ask, Asker, Transport
from vortex.wire.signers import Signer
from vortex.wire.signing import fill_session

#: Rows of a page, as many as the venue gives.
OPEN_ORDERS_MAX = 50
FILLS_MAX = 100
CURSOR = "&cursor="


def signed_get(asker: Asker, path: str, **params: str) -> Ask:
    """Return a signed GET."""
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in params.items())
    headers = sign_headers(asker, query)
    return Ask(Transport.REST, method="GET", path=f"{path}?{query}", headers=headers)


def page_question(asker: Asker, ask: Ask, cursor: str) -> Ask:
    """Return the question for the page of ``ask`` that begins at ``cursor``, signed again."""
    path, _, query = ask.path.partition("?")
    query = query.partition(CURSOR)[0] + CURSOR + quote(cursor, safe="")
    return ask._replace(path=f"{path}?{query}", headers=sign_headers(asker, query))


def signed_post(asker: Asker, path: str, **params: str) -> Ask:
    """Return a signed POST with a JSON body."""
    body = msgspec.json.encode(params)
    headers = (*sign_headers(asker, body.decode()), ("Content-Type", "application/json"))
    return Ask(Transport.REST, body=body, method="POST", path=path, headers=headers)


def sign_headers(asker: Asker, text: str) -> tuple[tuple[str, str], ...]:
    """Return the headers that sign a query or a body."""
    signed = f"{asker.wall_ms}{asker.key}{asker.recv_window_ms}{text}"
    return (
        ("X-BAPI-API-KEY", asker.key),
        ("X-BAPI-TIMESTAMP", str(asker.wall_ms)),
        ("X-BAPI-RECV-WINDOW", str(asker.recv_window_ms)),
        ("X-BAPI-SIGN", asker.signer.sign(signed.encode())),
    )


def new_session(
    key: str, signer: Signer, run_id: int, epoch: int, recv_window_ms: int
) -> RecordArray:
    """Return a SESSION for encoding orders in compiled code, which sign nothing.

    Raises
    ------
    ValueError
        When the venue takes no such key.
    """
    if signer.may_log_on:
        raise ValueError("the venue takes HMAC and RSA keys: this one is Ed25519")
    session = np.zeros(1, SESSION.dtype)
    fill_session(session[0], key, b"", run_id, epoch, recv_window_ms)
    session["is_logged_on"] = 1
    return session


def time_question() -> Ask:
    """Return the question for the venue's clock."""
    return Ask(Transport.REST, path="/v5/market/time")


def state_question(asker: Asker) -> Ask:
    """Return the question for what the account owns."""
    return signed_get(asker, "/v5/account/wallet-balance", accountType="UNIFIED")


def mark_of(fill: AccountFill) -> str:
    """Return the mark of a fill: its time; fills of that millisecond come again."""
    return str(fill.time_ms)


class Questions(NamedTuple):
    """What is asked of one category, ``linear`` or ``spot``."""

    category: str

    def open_orders(self, asker: Asker, symbol: str) -> Ask:
        """Return the question for the open orders of a symbol."""
        return signed_get(
            asker, "/v5/order/realtime", category=self.category, symbol=symbol, openOnly="0",
            limit=str(OPEN_ORDERS_MAX),
        )  # fmt: skip

    def order(self, asker: Asker, symbol: str, client_order_id: str) -> Ask:
        """Return the question for one order that is open or ended lately."""
        return self._one_order(asker, "/v5/order/realtime", symbol, client_order_id)

    def past_order(self, asker: Asker, symbol: str, client_order_id: str) -> Ask:
        """Return the question for one order that ended long ago."""
        return self._one_order(asker, "/v5/order/history", symbol, client_order_id)

    def _one_order(self, asker: Asker, path: str, symbol: str, client_order_id: str) -> Ask:
        return signed_get(
            asker, path, category=self.category, symbol=symbol, orderLinkId=client_order_id
        )

    def fills(self, asker: Asker, symbol: str, since: str) -> Ask:
        """Return the question for fills from a mark on, ``""`` for the newest alone."""
        window = {"startTime": since, "limit": str(FILLS_MAX)} if since else {"limit": "1"}
        return signed_get(
            asker, "/v5/execution/list", category=self.category, symbol=symbol, execType="Trade",
            **window,
        )  # fmt: skip

    def cancel_all(self, asker: Asker, symbol: str) -> Ask:
        """Return the question that cancels all orders of a symbol."""
        return signed_post(asker, "/v5/order/cancel-all", category=self.category, symbol=symbol)

    def positions(self, asker: Asker, symbol: str) -> Ask:
        """Return the question for the positions in a symbol."""
        return signed_get(asker, "/v5/position/list", category=self.category, symbol=symbol)
