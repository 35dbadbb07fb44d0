"""Bybit's slow side: signatures against known ones, frames, reference data, REST replies."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from recordings import BYBIT_SYMBOLS, loaded

from tests.vortex.venues.bybit_rows import linear_listing, linear_rows, page, spot_listing
from vortex.codes import OrderState, Side
from vortex.venues import account_of, market_of, orders_of
from vortex.venues._bybit.channels import auth_frame
from vortex.venues._bybit.listings import next_instruments_path, read_linear, read_spot
from vortex.venues._bybit.questions import sign_headers, signed_get
from vortex.venues.contract import (
    AccountFill,
    Asker,
    AssetBalance,
    HeldPosition,
    OrderStatus,
    Refused,
    Transport,
)
from vortex.wire.signers import Ed25519Signer, HmacSigner

ASKER = Asker("test_api_key", HmacSigner(b"test_secret"), 1700000000000, 5000)
LINEAR, SPOT = account_of("bybit_linear"), account_of("bybit_spot")
FILL_ID = "a3333bcf-4d02-55f1-a9d2-08a5149064f4"


def test_a_signed_question_has_the_signature_of_the_documents() -> None:
    headers = dict(sign_headers(ASKER, "category=linear&symbol=BTCUSDT"))
    assert headers == {
        "X-BAPI-API-KEY": "test_api_key",
        "X-BAPI-TIMESTAMP": "1700000000000",
        "X-BAPI-RECV-WINDOW": "5000",
        "X-BAPI-SIGN": "fd4f31228a46109dc6673062328693696df9a96c7ff04e6491a45e7f63a0fdd7",
    }
    ask = signed_get(ASKER, "/v5/order/realtime", category="linear", symbol="BTCUSDT")
    assert dict(ask.headers) == headers
    assert (ask.method, ask.transport) == ("GET", Transport.REST)
    assert ask.path == "/v5/order/realtime?category=linear&symbol=BTCUSDT"


def test_an_authentication_signs_when_it_ends() -> None:
    message = json.loads(auth_frame(ASKER._replace(wall_ms=1700000000000 - 10_000)))
    assert message["op"] == "auth"
    assert message["args"] == [
        "test_api_key",
        1700000000000,
        "bacffe7500499eb829bb58c45d36d1b3e5ac67c14eaeba91df5e99ccee013925",
    ]


def test_a_cancel_of_all_signs_the_bytes_that_are_sent() -> None:
    ask = LINEAR.cancel_all(ASKER, "BTCUSDT")
    assert (ask.method, ask.path) == ("POST", "/v5/order/cancel-all")
    assert json.loads(ask.body) == {"category": "linear", "symbol": "BTCUSDT"}
    headers = dict(ask.headers)
    signed = f"1700000000000test_api_key5000{ask.body.decode()}".encode()
    assert headers["X-BAPI-SIGN"] == hmac.new(b"test_secret", signed, "sha256").hexdigest()
    assert headers["Content-Type"] == "application/json"


def test_a_key_that_the_venue_does_not_take_is_refused() -> None:
    with pytest.raises(ValueError, match="HMAC and RSA"):
        LINEAR.new_session("name", Ed25519Signer(Ed25519PrivateKey.generate()), 1, 1, 5000)
    session = LINEAR.new_session("name", HmacSigner(hashlib.sha256(b"x").digest()), 7, 3, 5000)
    assert (session["run_id"][0], session["epoch"][0], session["is_logged_on"][0]) == (7, 3, 1)


@pytest.mark.parametrize("name", ["bybit_linear", "bybit_spot"])
def test_the_streams_of_many_symbols_are_asked_for_ten_at_a_time(name: str) -> None:
    market = market_of(name)
    assert market.stream_path(["BTCUSDT"]) == f"/v5/public/{name.removeprefix('bybit_')}"
    frames = [json.loads(frame) for frame in market.opening([f"S{n}USDT" for n in range(12)])]
    assert [len(frame["args"]) for frame in frames] == [10, 10, 4]
    assert {frame["op"] for frame in frames} == {"subscribe"}
    topics = [topic for frame in frames for topic in frame["args"]]
    assert len(set(topics)) == 24
    assert "orderbook.200.S11USDT" in topics
    assert "publicTrade.S0USDT" in topics
    assert json.loads(market.ping or b"")["op"] == "ping"
    again = [json.loads(frame) for frame in market.resubscribe("BTCUSDT")]
    assert [frame["op"] for frame in again] == ["unsubscribe", "subscribe"]
    assert [frame["args"] for frame in again] == [["orderbook.200.BTCUSDT"]] * 2


@pytest.mark.parametrize("name", ["bybit_linear", "bybit_spot"])
def test_the_order_connections_authenticate_first(name: str) -> None:
    trade, private = orders_of(name).connections
    assert [json.loads(frame)["op"] for frame in trade.opening(ASKER)] == ["auth"]
    auth, subscription = (json.loads(frame) for frame in private.opening(ASKER))
    category = name.removeprefix("bybit_")
    assert auth["op"] == "auth"
    assert {f"order.{category}", f"execution.{category}", "wallet"} <= set(subscription["args"])
    assert (f"position.{category}" in subscription["args"]) == (category == "linear")
    good = [
        b'{"success":true,"ret_msg":"","op":"auth","conn_id":"cejreaspqfh3sjdnldmg-p"}',
        b'{"retCode":0,"retMsg":"OK","op":"auth","connId":"d4al82f88smcpctamlf0-b5jk"}',
        b'{"success":true,"ret_msg":"","op":"subscribe","conn_id":"c"}',
    ]
    for reply in good:
        private.check_opening(reply)
    with pytest.raises(Refused, match="invalid sign") as refused:
        trade.check_opening(b'{"retCode":10004,"retMsg":"invalid sign","op":"auth"}')
    assert refused.value.code == 10004
    with pytest.raises(Refused, match="Invalid topic"):
        private.check_opening(b'{"success":false,"ret_msg":"Invalid topic: x","op":"subscribe"}')


def test_a_contract_as_an_instrument() -> None:
    (row,) = linear_rows(["BTCUSDT"])
    assert (row["symbol"], row["base_asset"], row["quote_asset"]) == (b"BTCUSDT", b"BTC", b"USDT")
    assert (row["tick_e8"], row["lot_e8"]) == (10**7, 10**5)
    assert (row["price_ticks_min"], row["price_ticks_max"]) == (1, 19_999_998)
    assert (row["qty_lots_min"], row["qty_lots_max"]) == (1, 1_500_000)
    assert row["notional_min"] == 5 * 10**16 // (10**7 * 10**5)


def test_a_pair_as_an_instrument() -> None:
    body = page("spot", [spot_listing("BTCUSDT", "0.1", "0.000001")])
    (row,) = read_spot([body], ["BTCUSDT"], 3)
    assert (row["tick_e8"], row["lot_e8"], row["source_id"]) == (10**7, 100, 3)
    assert (row["qty_lots_min"], row["qty_lots_max"]) == (1, 230_000_000)
    assert row["notional_min"] == 5 * 10**16 // (10**7 * 100)
    assert row["notional_max"] == 8_000_000 * 10**16 // (10**7 * 100)


def test_reference_data_may_have_pages() -> None:
    market = market_of("bybit_linear")
    first = page("linear", [linear_listing("BTCUSDT", "0.10", "0.001")], "a%3D")
    last = page("linear", [linear_listing("ETHUSDT", "0.01", "0.01")])
    path = market.next_instruments_path(first, ["BTCUSDT", "ETHUSDT"])
    assert path == "/v5/market/instruments-info?category=linear&limit=1000&cursor=a%253D"
    assert next_instruments_path("linear", last, ["BTCUSDT", "ETHUSDT"]) == ""
    rows = read_linear([first, last], ["ETHUSDT", "BTCUSDT"])
    assert rows["symbol"].tolist() == [b"ETHUSDT", b"BTCUSDT"]
    assert rows["instrument_id"].tolist() == [0, 1]
    assert market.instruments_path(["A&B"]).endswith("&symbol=A%26B")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (page("linear", []), "does not list"),
        (page("linear", [linear_listing("BTCUSDT", "1", "1", status="PreLaunch")]), "is in"),
        (b'{"retCode":10001,"retMsg":"params error","result":{}}', "params error"),
        (b"<html>", "malformed"),
    ],
)
def test_a_symbol_that_cannot_be_traded_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_linear([body], ["BTCUSDT"])


def test_the_rows_of_the_venue_become_instruments(recordings: Path) -> None:
    listed = loaded(recordings / BYBIT_SYMBOLS)
    for category, read in (("linear", read_linear), ("spot", read_spot)):
        names = [row["symbol"] for row in listed[category] if row["status"] == "Trading"]
        rows = read([page(category, listed[category])], names)
        assert len(rows) == len(names) > 0
        assert (rows["qty_lots_max"] >= rows["qty_lots_min"]).all()


def reply(result: Any, code: int = 0, words: str = "OK") -> bytes:
    return json.dumps({"retCode": code, "retMsg": words, "result": result, "time": 1}).encode()


def test_the_venues_clock() -> None:
    ask = LINEAR.time()
    assert (ask.method, ask.path, ask.headers) == ("GET", "/v5/market/time", ())
    result = {"timeSecond": "1688639403", "timeNano": "1688639403423213947"}
    assert LINEAR.read_time_ms(reply(result)) == 1688639403423


STATUS = {
    "symbol": "BTCUSDT", "orderId": "af6512ea-74b0-4ac5-959a-9a52d4208b08", "orderLinkId": "v1",
    "side": "Sell", "price": "27673.40", "qty": "0.003", "orderStatus": "PartiallyFilled",
    "cumExecQty": "0.001", "leavesQty": "",
}  # fmt: skip


def test_orders() -> None:
    expected = OrderStatus(
        "BTCUSDT", STATUS["orderId"], "v1", OrderState.RESTING, Side.SELL, "27673.40", "0.003",
        "0.001",
    )  # fmt: skip
    body = reply({"list": [STATUS], "nextPageCursor": "x"})
    assert SPOT.read_open_orders(body) == [expected]
    assert SPOT.read_order(body) == expected
    with pytest.raises(Refused) as refused:
        SPOT.read_order(reply({"list": []}))
    assert refused.value.is_unknown_order
    assert len(SPOT.read_open_orders(reply({"list": [STATUS] * 50}))) == 50
    with pytest.raises(ValueError, match="Sleeping"):
        SPOT.read_order(reply({"list": [{**STATUS, "orderStatus": "Sleeping"}]}))
    assert "/v5/order/realtime?category=spot&" in SPOT.order(ASKER, "BTCUSDT", "v1").path
    assert SPOT.past_order is not None
    past = SPOT.past_order(ASKER, "BTCUSDT", "v1").path
    assert past == "/v5/order/history?category=spot&symbol=BTCUSDT&orderLinkId=v1"
    assert "openOnly=0" in SPOT.open_orders(ASKER, "BTCUSDT").path


def test_fills_oldest_first() -> None:
    row = {
        "symbol": "BTCUSDT", "execId": FILL_ID, "side": "Buy", "execPrice": "28567.70",
        "execQty": "0.001", "execTime": "1682924344203", "orderLinkId": "", "execFee": "-0.01",
        "feeCurrency": "", "isMaker": True,
    }  # fmt: skip
    older = {**row, "execTime": "1682924344000", "execId": "2290", "feeCurrency": "BTC"}
    first, second = LINEAR.read_fills(reply({"list": [row, older]}))
    assert second == AccountFill(
        "BTCUSDT", int(FILL_ID.replace("-", ""), 16), "", Side.BUY, "28567.70", "0.001", "-0.01",
        "USDT", 1682924344203, True,
    )  # fmt: skip
    assert (first.trade_id, first.fee_asset) == (2290, "BTC")
    assert "limit=1" in LINEAR.fills(ASKER, "BTCUSDT", "").path.split("&")
    assert "startTime=1682924344203" in LINEAR.fills(ASKER, "BTCUSDT", LINEAR.mark_of(second)).path
    same = {**row, "execId": "2291"}
    ids = [fill.trade_id for fill in LINEAR.read_fills(reply({"list": [row, same]}))]
    assert ids == [2291, second.trade_id], "fills of one millisecond in the order of their making"


def test_a_cursor_leads_to_the_next_page() -> None:
    """The question is the same but for the cursor, which is written as a URL wants it."""
    assert SPOT.next_page is not None
    first = SPOT.open_orders(ASKER, "BTCUSDT")
    second = SPOT.next_page(ASKER, first, reply({"list": [], "nextPageCursor": "a%3A1,b&c"}))
    assert second is not None
    assert second.path == first.path + "&cursor=a%253A1%2Cb%26c"
    third = SPOT.next_page(ASKER, second, reply({"list": [], "nextPageCursor": "9"}))
    assert third is not None
    assert third.path == first.path + "&cursor=9"
    query = third.path.partition("?")[2]
    signed = ASKER.signer.sign(f"{ASKER.wall_ms}{ASKER.key}{ASKER.recv_window_ms}{query}".encode())
    assert dict(third.headers)["X-BAPI-SIGN"] == signed
    for end in ({"list": []}, {"list": [], "nextPageCursor": ""}):
        assert SPOT.next_page(ASKER, third, reply(end)) is None
    with pytest.raises(Refused, match="no"):
        SPOT.next_page(ASKER, third, reply({}, 10001, "no"))


def test_what_the_account_holds() -> None:
    coin = {"coin": "USDT", "walletBalance": "100.5", "locked": "0.25", "equity": "101"}
    state = SPOT.read_state(reply({"list": [{"accountType": "UNIFIED", "coin": [coin]}]}))
    assert state.balances == (AssetBalance("USDT", "100.25", "0.25"),)
    assert SPOT.positions is None
    rows = [
        {"symbol": "ETHUSDT", "side": "Sell", "size": "0.01", "avgPrice": "3641.075"},
        {"symbol": "BTCUSDT", "side": "", "size": "0", "avgPrice": ""},
    ]
    assert LINEAR.read_positions is not None
    held = LINEAR.read_positions(reply({"list": rows}))
    assert held == [HeldPosition("ETHUSDT", "-0.01", "3641.075")]


def test_how_many_orders_were_cancelled() -> None:
    assert LINEAR.read_cancel_all(reply({"list": [{"orderId": "1"}, {"orderId": "2"}]})) == 2
    assert SPOT.read_cancel_all(reply({"list": [], "success": "1"})) == 0
    assert SPOT.read_cancel_all(reply({}, 110001, "order not exists")) == 0
    with pytest.raises(Refused, match="Too many visits") as refused:
        SPOT.read_cancel_all(reply({}, 10006, "Too many visits!"))
    assert refused.value.wait_ms > 0
