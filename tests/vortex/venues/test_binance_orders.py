"""Binance Spot order requests: what json reads in them, and what hmac signs."""

import hashlib
import hmac
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.memory import address_of
from vortex.codes import Kind, OrderForce, Side
from vortex.records import INSTRUMENT, REQUEST, SESSION
from vortex.venues._binance.order_encoder import (
    encode_cancel_all,
    encode_order_status,
    encode_request,
)
from vortex.venues._binance.request_ids import parse_client_order_id
from vortex.venues._binance.signed_text import signing_prefix
from vortex.venues.contract import REQUEST_BUFFER_BYTES
from vortex.wire.signing import fill_session

SECRET = hashlib.sha256(b"a key of this test").hexdigest().encode()
API_KEY = hashlib.sha256(b"its name").hexdigest()
RUN_ID, EPOCH = 0xDEADBEEF, 7
NOW_MS = 1660801715431


class Desk:
    def __init__(self, prefix: bytes = signing_prefix(API_KEY)) -> None:
        self.session = np.zeros(1, dtype=SESSION.dtype)
        fill_session(self.session[0], API_KEY, SECRET, RUN_ID, EPOCH, 5000, prefix)
        self.instrument = np.zeros(1, dtype=INSTRUMENT.dtype)
        row = self.instrument[0]
        row["symbol"], row["symbol_bytes"] = b"BTCUSDT", 7
        row["tick_e8"], row["lot_e8"] = 1_000_000, 1_000
        self.request = np.zeros(1, dtype=REQUEST.dtype)
        self.out = np.full(REQUEST_BUFFER_BYTES + 64, 0xEE, dtype=np.uint8)

    def encode(self, kind: Kind, side: Side, price_ticks: int, qty_lots: int, **ids: int) -> Any:
        row = self.request[0]
        row["kind"], row["side"] = kind, side
        row["price_ticks"], row["qty_lots"] = price_ticks, qty_lots
        row["time_in_force"] = ids.get("time_in_force", OrderForce.POST_ONLY)
        size = encode_request(
            address_of(self.request),
            address_of(self.instrument),
            address_of(self.session),
            NOW_MS,
            ids.get("request_id", 5),
            ids.get("new_order_id", 0),
            ids.get("old_order_id", 0),
            ids.get("old_epoch", EPOCH),
            address_of(self.out),
        )
        return self.read(size)

    def read(self, size: int) -> Any:
        assert (self.out[REQUEST_BUFFER_BYTES:] == 0xEE).all()
        message = json.loads(bytes(self.out[:size]))
        check_signature(message["params"])
        assert message["params"].pop("apiKey") == API_KEY
        assert message["params"].pop("timestamp") == NOW_MS
        assert message["params"].pop("recvWindow") == 5000
        assert message["params"].pop("symbol") == "BTCUSDT"
        return message


def check_signature(params: dict[str, Any]) -> None:
    """Check the signature by the venue's rule: all other parameters, sorted by name."""
    signature = params.pop("signature")
    text = "&".join(f"{key}={value}" for key, value in sorted(params.items()))
    assert signature == hmac.new(SECRET, text.encode(), "sha256").hexdigest()


def client_id(order_id: int, epoch: int = EPOCH) -> str:
    return f"v{RUN_ID:08x}-{epoch:04x}-{order_id:012x}"


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk()


@settings(max_examples=50)
@given(
    side=st.sampled_from(Side),
    price_ticks=st.integers(1, 10**11),
    qty_lots=st.integers(1, 10**14),
    order_id=st.integers(1, 2**48 - 1),
    request_id=st.integers(1, 2**59),
)
def test_an_order_says_what_was_requested_and_is_signed(
    side: Side, price_ticks: int, qty_lots: int, order_id: int, request_id: int
) -> None:
    message = DESK.encode(
        Kind.PLACE, side, price_ticks, qty_lots, new_order_id=order_id, request_id=request_id
    )
    assert message["id"] == f"{request_id:016x}"
    assert message["method"] == "order.place"
    assert message["params"] == {
        "newClientOrderId": client_id(order_id),
        "newOrderRespType": "ACK",
        "price": f"{price_ticks // 100}.{price_ticks % 100:02d}000000",
        "quantity": f"{qty_lots // 10**5}.{qty_lots % 10**5:05d}000",
        "side": side.name,
        "type": "LIMIT_MAKER",
    }


DESK = Desk()


def test_a_session_without_a_prefix_signs_the_same() -> None:
    for desk in (Desk(b""), Desk()):
        desk.encode(Kind.PLACE, Side.SELL, 1, 1, new_order_id=1)


def test_a_cancel_names_the_old_order_and_who_placed_it(desk: Desk) -> None:
    message = desk.encode(Kind.CANCEL, Side.BUY, 0, 0, old_order_id=9, old_epoch=3)
    assert message["method"] == "order.cancel"
    assert message["params"] == {"origClientOrderId": client_id(9, 3)}


def test_a_replace_stops_when_the_cancel_fails(desk: Desk) -> None:
    message = desk.encode(
        Kind.REPLACE, Side.SELL, 2341610, 847, new_order_id=12, old_order_id=9, old_epoch=3
    )
    assert message["method"] == "order.cancelReplace"
    assert message["params"] == {
        "cancelOrigClientOrderId": client_id(9, 3),
        "cancelReplaceMode": "STOP_ON_FAILURE",
        "newClientOrderId": client_id(12),
        "newOrderRespType": "ACK",
        "price": "23416.10000000",
        "quantity": "0.00847000",
        "side": "SELL",
        "type": "LIMIT_MAKER",
    }


@pytest.mark.parametrize("force", [OrderForce.IOC, OrderForce.GTC])
@pytest.mark.parametrize("kind", [Kind.PLACE, Kind.REPLACE])
def test_an_order_may_take(desk: Desk, kind: Kind, force: OrderForce) -> None:
    message = desk.encode(
        kind, Side.BUY, 2341610, 847, new_order_id=12, old_order_id=9, time_in_force=force
    )
    assert message["params"]["type"] == "LIMIT"
    assert message["params"]["timeInForce"] == force.name


def test_an_amendment_keeps_the_id_and_says_the_whole_quantity(desk: Desk) -> None:
    message = desk.encode(Kind.AMEND, Side.BUY, 2341610, 847, old_order_id=9, old_epoch=3)
    assert message["method"] == "order.amend.keepPriority"
    assert message["params"] == {
        "newClientOrderId": client_id(9, 3),
        "newQty": "0.00847000",
        "origClientOrderId": client_id(9, 3),
    }


def test_cancel_all_and_status_are_signed(desk: Desk) -> None:
    places = address_of(desk.instrument), address_of(desk.session)
    message = desk.read(encode_cancel_all(*places, NOW_MS, 6, address_of(desk.out)))
    assert (message["method"], message["params"]) == ("openOrders.cancelAll", {})
    message = desk.read(encode_order_status(9, 2, *places, NOW_MS, 6, address_of(desk.out)))
    assert message["method"] == "order.status"
    assert message["params"] == {"origClientOrderId": client_id(9, 2)}


@pytest.mark.parametrize(
    ("text", "order_id"),
    [
        (client_id(77), 77),
        (client_id(2**48 - 1, 1), 2**48 - 1),
        (client_id(77).replace("deadbeef", "deadbeee"), 0),
        (client_id(77)[:-1], 0),
        (client_id(77) + "0", 0),
        (client_id(77).replace("v", "w"), 0),
        (client_id(77)[:-1] + "g", 0),
        ("web_24d4e429eb4f44d0ad03ab240c909ac2", 0),
        ("", 0),
    ],
)
def test_only_ids_of_this_run_are_ours(desk: Desk, text: str, order_id: int) -> None:
    data = np.frombuffer(text.encode() + bytes(64), dtype=np.uint8).copy()
    session = address_of(desk.session)
    assert parse_client_order_id(session, address_of(data), len(text)) == order_id


@pytest.mark.parametrize("kind", [Kind.PLACE, Kind.CANCEL, Kind.REPLACE])
def test_on_a_connection_that_was_logged_on_the_same_is_sent_without_key_and_signature(
    kind: Kind,
) -> None:
    def params_of(is_logged_on: bool) -> Any:
        desk = Desk()
        desk.session["is_logged_on"] = is_logged_on
        row = desk.request[0]
        row["kind"], row["side"], row["price_ticks"], row["qty_lots"] = kind, Side.SELL, 601, 7
        size = encode_request(
            address_of(desk.request), address_of(desk.instrument), address_of(desk.session),
            NOW_MS, 5, 8, 6, EPOCH, address_of(desk.out),
        )  # fmt: skip
        return json.loads(bytes(desk.out[:size]))["params"]

    signed = params_of(False)
    assert signed.pop("apiKey") == API_KEY
    assert len(signed.pop("signature")) == 64
    assert params_of(True) == signed
