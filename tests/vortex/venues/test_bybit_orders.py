"""Bybit's order requests: what json reads in them."""

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc.memory import address_of
from vortex.codes import Kind, OrderForce, Side
from vortex.records import INSTRUMENT, REQUEST, SESSION
from vortex.units import to_e8
from vortex.venues._bybit.client_ids import (
    NUMBER_MAX,
    ORDER_LETTER,
    REQUEST_LETTER,
    client_order_id,
    parse_client_id,
)
from vortex.venues._bybit.order_messages import write_request, write_short_e8
from vortex.venues.contract import REQUEST_BUFFER_BYTES
from vortex.wire.signing import fill_session
from vortex.wire.text import literal

RUN_ID, EPOCH, NOW_MS = 0xDEADBEEF, 7, 1711001595207


class BybitDesk:
    def __init__(self) -> None:
        self.session = np.zeros(1, dtype=SESSION.dtype)
        fill_session(self.session[0], "name", b"", RUN_ID, EPOCH, 8000)
        self.instrument = np.zeros(1, dtype=INSTRUMENT.dtype)
        row = self.instrument[0]
        row["symbol"], row["symbol_bytes"] = b"ETHUSDT", 7
        row["tick_e8"], row["lot_e8"] = 1_000_000, 10_000_000
        self.request = np.zeros(1, dtype=REQUEST.dtype)
        self.out = np.full(REQUEST_BUFFER_BYTES + 64, 0xEE, dtype=np.uint8)

    def encode(self, category: str = "linear", **values: Any) -> Any:
        ids = {name: values.pop(name, 0) for name in ("new_order_id", "old_order_id", "request_id")}
        old_epoch = values.pop("old_epoch", EPOCH)
        self.request[0] = np.zeros(1, dtype=REQUEST.dtype)[0]
        for name, value in values.items():
            self.request[0][name] = value
        size = write_request(
            address_of(self.request), address_of(self.instrument), address_of(self.session),
            NOW_MS, ids["request_id"], ids["new_order_id"], ids["old_order_id"], old_epoch,
            address_of(self.out), literal(category),
        )  # fmt: skip
        assert (self.out[REQUEST_BUFFER_BYTES:] == 0xEE).all()
        return json.loads(bytes(self.out[:size]))


@pytest.fixture(scope="module")
def desk() -> BybitDesk:
    return BybitDesk()


HEADER = {"X-BAPI-TIMESTAMP": str(NOW_MS), "X-BAPI-RECV-WINDOW": "8000"}


def test_a_new_order(desk: BybitDesk) -> None:
    message = desk.encode(
        kind=Kind.PLACE, side=Side.BUY, price_ticks=280000, qty_lots=2, new_order_id=77,
        request_id=5,
    )  # fmt: skip
    assert message == {
        "reqId": "rdeadbeef-0007-000000000005",
        "header": HEADER,
        "op": "order.create",
        "args": [
            {
                "category": "linear",
                "symbol": "ETHUSDT",
                "side": "Buy",
                "orderType": "Limit",
                "qty": "0.2",
                "price": "2800",
                "timeInForce": "PostOnly",
                "orderLinkId": client_order_id(RUN_ID, EPOCH, 77),
            }
        ],
    }


@pytest.mark.parametrize(
    ("force", "word"),
    [(OrderForce.POST_ONLY, "PostOnly"), (OrderForce.IOC, "IOC"), (OrderForce.GTC, "GTC")],
)
def test_side_force_and_category_are_the_requests(
    desk: BybitDesk, force: OrderForce, word: str
) -> None:
    message = desk.encode(
        "spot", kind=Kind.PLACE, side=Side.SELL, price_ticks=1, qty_lots=1, time_in_force=force
    )
    order = message["args"][0]
    assert (order["category"], order["side"], order["timeInForce"]) == ("spot", "Sell", word)
    assert (order["price"], order["qty"]) == ("0.01", "0.1")


def test_a_cancel_names_the_order_by_the_life_that_placed_it(desk: BybitDesk) -> None:
    message = desk.encode(kind=Kind.CANCEL, old_order_id=9, old_epoch=3, request_id=6)
    assert message["op"] == "order.cancel"
    link = client_order_id(RUN_ID, 3, 9)
    assert message["args"] == [{"category": "linear", "symbol": "ETHUSDT", "orderLinkId": link}]


@pytest.mark.parametrize("kind", [Kind.REPLACE, Kind.AMEND])
def test_another_price_for_an_order_that_keeps_its_id(desk: BybitDesk, kind: Kind) -> None:
    message = desk.encode(
        kind=kind, price_ticks=105050, qty_lots=15, old_order_id=9, old_epoch=3, new_order_id=10
    )
    assert message["op"] == "order.amend"
    assert message["args"] == [
        {
            "category": "linear",
            "symbol": "ETHUSDT",
            "qty": "1.5",
            "price": "1050.5",
            "orderLinkId": client_order_id(RUN_ID, 3, 9),
        }
    ]


@given(value_e8=st.one_of(st.integers(0, 10**12), st.integers(0, 10**9).map(lambda n: n * 10**8)))
def test_a_decimal_is_exact_and_has_no_needless_zero(value_e8: int) -> None:
    out = np.zeros(64, dtype=np.uint8)
    size = write_short_e8(address_of(out), value_e8) - address_of(out)
    text = bytes(out[:size]).decode()
    assert re.fullmatch(r"(0|[1-9][0-9]*)(\.[0-9]*[1-9])?", text)
    assert to_e8(text) == value_e8


@given(
    order_id=st.integers(1, NUMBER_MAX),
    epoch=st.integers(0, 2**16 - 1),
    place=st.integers(0, 26),
    byte=st.integers(0, 255),
)
def test_an_id_of_ours_is_read_back_and_no_other(
    order_id: int, epoch: int, place: int, byte: int
) -> None:
    session = np.zeros(1, dtype=SESSION.dtype)
    fill_session(session[0], "name", b"", RUN_ID, EPOCH)
    text = client_order_id(RUN_ID, epoch, order_id).encode()
    assert len(text) <= 36
    assert re.fullmatch(rb"[A-Za-z0-9_-]+", text)
    assert parse(session, ORDER_LETTER, text) == order_id
    assert parse(session, REQUEST_LETTER, text) == 0
    changed = text[:place] + bytes([byte]) + text[place + 1 :]
    if changed.lower() != text and (place < 10 or not chr(byte).isalnum()):
        assert parse(session, ORDER_LETTER, changed) == 0


def parse(session: Any, letter: int, text: bytes) -> int:
    padded = np.frombuffer(text + b"f" * 64, dtype=np.uint8).copy()
    return parse_client_id(session.view(np.recarray)[0], letter, address_of(padded), len(text))
