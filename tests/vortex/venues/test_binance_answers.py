"""What Binance Spot says on the order connection, from its documents and recorded frames."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recordings import SPOT_USER_DATA

from ipc.memory import address_of
from vortex.codes import (
    Answer,
    Execution,
    FeeAsset,
    OrderState,
    Outcome,
    Refusal,
    Reject,
    Side,
)
from vortex.decoding.instruments import build_catalog
from vortex.records import ANSWER, INSTRUMENT, SESSION
from vortex.venues._binance.answer_decoder import decode_answer
from vortex.wire.signing import fill_session

OURS, OLDER = "v00000abc-0002-00000000004d", "v00000abc-0001-00000000000b"
REQUEST_ID = f"{0x123:016x}"
LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "count": 3},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 50, "count": 12},
    {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "count": 4043},
]


class Desk:
    def __init__(self) -> None:
        self.instruments = np.zeros(3, dtype=INSTRUMENT.dtype)
        rows = [("BTCUSDT", 10**6, 10**3), ("LTCUSDT", 10**6, 10**5), ("LTCBTC", 100, 10**5)]
        for index, (symbol, tick_e8, lot_e8) in enumerate(rows):
            row = self.instruments[index]
            row["symbol"], row["symbol_bytes"] = symbol.encode(), len(symbol)
            row["tick_e8"], row["lot_e8"] = tick_e8, lot_e8
            row["base_asset"], row["quote_asset"] = symbol[:3].encode(), symbol[3:].encode()
        self.catalog, self.slots = build_catalog(self.instruments)
        self.session = np.zeros(1, dtype=SESSION.dtype)
        secret = hashlib.sha256(b"a key of this test").digest()
        fill_session(self.session[0], "name", secret, run_id=0xABC, epoch=2)
        self.buffer = np.zeros(1 << 14, dtype=np.uint8)
        self.out = np.zeros(1, dtype=ANSWER.dtype)

    def decode(self, message: Any) -> Any:
        """Return the Refusal, or all fields of the answer that are not 0."""
        text = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.buffer[:] = ord("1")
        self.buffer[: len(text)] = np.frombuffer(text, dtype=np.uint8)
        self.out.view(np.uint8)[:] = 0xAA
        status = decode_answer(
            0,
            address_of(self.buffer),
            len(text),
            address_of(self.catalog),
            address_of(self.session),
            address_of(self.out),
            1,
        )
        if status < 0:
            return status
        assert status == 1
        row = self.out[0]
        assert row["reserved"] == b""
        usual = dict.fromkeys(("instrument_id", "trade_id", "order_count_10s"), -1)
        usual["limit_left_count"] = -1
        names = [name for name in ANSWER.dtype.names or () if name != "reserved"]
        return {n: int(row[n]) for n in names if row[n] != usual.get(n, 0)}


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk()


def order(client_id: str, **more: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "orderId": 12569099453,
        "orderListId": -1,
        "clientOrderId": client_id,
        "transactTime": 1660813156959,
        "price": "23416.10000000",
        "origQty": "0.00847000",
        "executedQty": "0.00001000",
        "status": "NEW",
        "type": "LIMIT_MAKER",
        "side": "SELL",
        **more,
    }


def reply(status: int, limits: Any = (), **members: Any) -> dict[str, Any]:
    return {"id": REQUEST_ID, "status": status, **members, "rateLimits": list(limits)}


CANCELED = order("91fe37ce9e69c90d6358c0", origClientOrderId=OLDER, status="CANCELED")
FIELDS = {
    "venue_order_id": 12569099453,
    "side": Side.SELL,
    "price_ticks": 2341610,
    "qty_lots": 847,
    "filled_lots": 1,
    "venue_ns": 1660813156959 * 10**6,
}
REPLY = {"kind": Answer.REPLY, "request_id": 0x123, "instrument_id": 0}


def test_an_acknowledged_order(desk: Desk) -> None:
    names = ("symbol", "orderId", "orderListId", "clientOrderId", "transactTime")
    result = {name: order(OURS)[name] for name in names}
    assert desk.decode(reply(200, LIMITS, result=result)) == {
        **REPLY,
        "status": 200,
        "place_outcome": Outcome.SUCCESS,
        "order_id": 77,
        "venue_order_id": 12569099453,
        "venue_ns": 1660813156959 * 10**6,
        "order_count_10s": 12,
    }


def test_an_order_s_state(desk: Desk) -> None:
    answer = desk.decode(reply(200, result=order(OURS, status="PARTIALLY_FILLED")))
    expected = {**REPLY, **FIELDS, "status": 200, "order_id": 77, "state": OrderState.RESTING}
    assert answer == {**expected, "place_outcome": Outcome.SUCCESS}


def test_a_cancel_names_the_order_that_it_took_away(desk: Desk) -> None:
    expected = {**REPLY, **FIELDS, "status": 200, "canceled_order_id": 11}
    expected |= {"canceled_filled_lots": 1}
    expected |= {"cancel_outcome": Outcome.SUCCESS, "state": OrderState.CANCELED}
    assert desk.decode(reply(200, result=CANCELED)) == expected


def test_a_cancel_of_all_is_answered_by_a_list(desk: Desk) -> None:
    expected = {"kind": Answer.REPLY, "request_id": 0x123, "status": 200}
    expected["cancel_outcome"] = Outcome.SUCCESS
    assert desk.decode(reply(200, result=[CANCELED, CANCELED])) == expected


def halves(cancel: str, place: str, cancel_response: Any, place_response: Any) -> dict[str, Any]:
    return {
        "cancelResult": cancel,
        "newOrderResult": place,
        "cancelResponse": cancel_response,
        "newOrderResponse": place_response,
    }


UNKNOWN_ORDER = {"code": -2011, "msg": "Unknown order sent."}
WOULD_TAKE = {"code": -2010, "msg": "Order would immediately match and take."}


def test_a_replace_whose_halves_both_worked(desk: Desk) -> None:
    result = halves("SUCCESS", "SUCCESS", CANCELED, order(OURS))
    expected = {**REPLY, **FIELDS, "status": 200, "order_id": 77, "canceled_order_id": 11}
    expected |= {"canceled_filled_lots": 1}
    expected |= {"cancel_outcome": Outcome.SUCCESS, "place_outcome": Outcome.SUCCESS}
    assert desk.decode(reply(200, result=result)) == {**expected, "state": OrderState.RESTING}


def test_a_replace_that_was_stopped(desk: Desk) -> None:
    data = halves("FAILURE", "NOT_ATTEMPTED", UNKNOWN_ORDER, None)
    error = {"code": -2022, "msg": "Order cancel-replace failed.", "data": data}
    assert desk.decode(reply(400, error=error)) == {
        "kind": Answer.REPLY,
        "request_id": 0x123,
        "status": 400,
        "error_code": -2011,
        "reject": Reject.VENUE_UNKNOWN_ORDER,
        "cancel_outcome": Outcome.FAILURE,
    }


def test_a_replace_that_left_nothing_standing(desk: Desk) -> None:
    data = halves("SUCCESS", "FAILURE", CANCELED, WOULD_TAKE)
    error = {"code": -2021, "msg": "Order cancel-replace partially failed.", "data": data}
    assert desk.decode(reply(409, error=error)) == {
        **REPLY,
        **FIELDS,
        "status": 409,
        "error_code": -2010,
        "reject": Reject.VENUE_WOULD_TAKE,
        "cancel_outcome": Outcome.SUCCESS,
        "place_outcome": Outcome.FAILURE,
        "canceled_order_id": 11,
        "canceled_filled_lots": 1,
        "state": OrderState.CANCELED,
    }


def test_a_replace_that_left_both_standing(desk: Desk) -> None:
    data = halves("FAILURE", "SUCCESS", UNKNOWN_ORDER, order(OURS))
    answer = desk.decode(reply(409, error={"code": -2021, "msg": "", "data": data}))
    assert answer["order_id"] == 77
    assert (answer["cancel_outcome"], answer["place_outcome"]) == (2, 1)
    assert "canceled_order_id" not in answer


@pytest.mark.parametrize(
    ("status", "code", "message", "reject", "outcome"),
    [
        (400, -2010, WOULD_TAKE["msg"], Reject.VENUE_WOULD_TAKE, Outcome.FAILURE),
        (
            400,
            -2010,
            "Account has insufficient balance for requested action.",
            Reject.VENUE_BALANCE,
            Outcome.FAILURE,
        ),
        (400, -2010, "Duplicate order sent.", Reject.VENUE_OTHER, Outcome.FAILURE),
        (400, -1013, "Filter failure: PRICE_FILTER", Reject.VENUE_FILTER, Outcome.FAILURE),
        (400, -2013, "Order does not exist.", Reject.VENUE_UNKNOWN_ORDER, Outcome.FAILURE),
        (400, -1021, "Timestamp", Reject.VENUE_CLOCK, Outcome.FAILURE),
        (400, -1022, "Signature", Reject.VENUE_SIGNATURE, Outcome.FAILURE),
        (429, -1015, "Too many new orders", Reject.VENUE_THROTTLED, Outcome.FAILURE),
        (418, -9999, "?", Reject.VENUE_THROTTLED, Outcome.FAILURE),
        (500, -1007, "Timeout", Reject.VENUE_OTHER, Outcome.UNKNOWN),
        (400, -1006, "Unexpected response", Reject.VENUE_OTHER, Outcome.UNKNOWN),
    ],
)
def test_what_an_error_means(
    desk: Desk, status: int, code: int, message: str, reject: Reject, outcome: Outcome
) -> None:
    answer = desk.decode(reply(status, error={"code": code, "msg": message}))
    assert (answer["status"], answer["error_code"]) == (status, code)
    assert answer["reject"] == reject
    assert (answer["cancel_outcome"], answer["place_outcome"]) == (outcome, outcome)


def test_a_ban_says_until_when(desk: Desk) -> None:
    data = {"serverTime": 1659142907531, "retryAfter": 1659146400000}
    error = {"code": -1003, "msg": "Way too much request weight used", "data": data}
    assert desk.decode(reply(418, error=error))["retry_after_ms"] == 1659146400000


def test_replies_to_others_requests_have_no_number(desk: Desk) -> None:
    for other in (None, 5, "56374a46-3061-486b-a311-99ee972eb648", "f" * 16):
        message = {"id": other, "status": 200, "result": {}}
        assert desk.decode(message) == {"kind": Answer.REPLY, "status": 200}


def report(**more: Any) -> dict[str, Any]:
    text = (
        '{"e":"executionReport","E":1634906229934,"s":"LTCUSDT","c":"","S":"BUY","o":"LIMIT",'
        '"f":"GTC","q":"0.10000000","p":"198.30000000","P":"0.00000000","F":"0.00000000","g":-1,'
        '"C":"","x":"NEW","X":"NEW","r":"NONE","i":2426862755,"l":"0.00000000","z":"0.00000000",'
        '"L":"0.00000000","n":"0","N":null,"T":1634906229933,"t":-1,"I":5048627145,"w":true,'
        '"m":false,"M":false,"O":1634906177360,"Z":"0.00000000","Y":"0.00000000","Q":"0.00000000"}'
    )
    return {**json.loads(text), **more}


REPORT = {
    "kind": Answer.EXECUTION,
    "venue_order_id": 2426862755,
    "instrument_id": 1,
    "side": Side.BUY,
    "price_ticks": 19830,
    "qty_lots": 100,
    "venue_ns": 1634906229933 * 10**6,
}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda event: {"subscriptionId": 0, "event": event},
        lambda event: {"stream": "X" * 60, "data": event},
        lambda event: event,
    ],
    ids=["today", "2021", "bare"],
)
def test_the_life_of_an_order(desk: Desk, wrap: Any) -> None:
    new = desk.decode(wrap(report(c=OURS)))
    assert new == {**REPORT, "order_id": 77, "execution": Execution.NEW, "state": 2}
    fill = {"x": "TRADE", "X": "FILLED", "l": "0.10000000", "z": "0.10000000"}
    fill |= {"L": "198.30000000", "n": "0.00003019", "N": "BNB", "t": 207081035, "m": True}
    filled = {
        **REPORT,
        "order_id": 77,
        "execution": Execution.TRADE,
        "state": OrderState.FILLED,
        "filled_lots": 100,
        "fill_ticks": 19830,
        "fill_lots": 100,
        "trade_id": 207081035,
        "fee_e8": 3019,
        "fee_asset": FeeAsset.OTHER,
        "is_maker": 1,
    }
    assert desk.decode(wrap(report(c=OURS, **fill))) == filled
    for asset, code in (("LTC", FeeAsset.BASE), ("USDT", FeeAsset.QUOTE), ("USD", FeeAsset.OTHER)):
        assert desk.decode(wrap(report(c=OURS, **{**fill, "N": asset})))["fee_asset"] == code
    canceled = desk.decode(wrap(report(c="web_24d4e429", C=OLDER, x="CANCELED", X="CANCELED")))
    assert canceled == {
        **REPORT,
        "order_id": 11,
        "canceled_order_id": 11,
        "execution": Execution.CANCELED,
        "state": OrderState.CANCELED,
    }


def test_why_an_order_ended(desk: Desk) -> None:
    cases = [
        ("REJECTED", "REJECTED", "WOULD_MATCH_IMMEDIATELY", 5, 6, Reject.VENUE_WOULD_TAKE),
        ("REJECTED", "REJECTED", "INSUFFICIENT_BALANCES", 5, 6, Reject.VENUE_BALANCE),
        ("EXPIRED", "EXPIRED", "NONE", 6, 7, Reject.NONE),
        ("TRADE_PREVENTION", "EXPIRED_IN_MATCH", "NONE", 7, 7, Reject.NONE),
    ]
    for execution, state, reason, execution_code, state_code, reject in cases:
        answer = desk.decode(report(c=OURS, x=execution, X=state, r=reason))
        assert (answer["execution"], answer["state"]) == (execution_code, state_code)
        assert answer.get("reject", 0) == reject


def test_account_events_and_the_end_of_the_stream(desk: Desk) -> None:
    kinds = {
        "outboundAccountPosition": Answer.BALANCE,
        "balanceUpdate": Answer.BALANCE,
        "externalLockUpdate": Answer.BALANCE,
        "eventStreamTerminated": Answer.STREAM_ENDED,
        "serverShutdown": Answer.SHUTDOWN,
        "listStatus": Answer.OTHER,
    }
    for name, kind in kinds.items():
        message = {"subscriptionId": 0, "event": {"e": name, "E": 1768640962931}}
        assert desk.decode(message) == {"kind": kind}


def test_what_cannot_be_read_is_refused(desk: Desk) -> None:
    assert desk.decode(b'{"id":1') == Refusal.NOT_JSON
    assert desk.decode(b"[]") == Refusal.NOT_KNOWN
    assert desk.decode(b"{}") == Refusal.NOT_KNOWN
    assert desk.decode(report(s="ETHUSDT")) == Refusal.UNKNOWN_SYMBOL
    assert desk.decode(report(l="0.00000001")) == Refusal.OFF_TICK
    assert desk.decode(report(q="-1")) == Refusal.OUT_OF_RANGE
    assert desk.decode(report(x="NEWS")) == Refusal.NOT_KNOWN
    whole = json.dumps(reply(200, result=order(OURS))).encode()
    for size in range(0, len(whole), 7):
        assert desk.decode(whole[:size]) == Refusal.NOT_JSON


def test_recorded_user_data_is_read(desk: Desk, recordings: Path) -> None:
    desk = Desk()
    desk.instruments[0]["symbol"], desk.instruments[1]["symbol"] = b"ETHUSDT", b"ETHBTC"
    desk.instruments[1]["symbol_bytes"], desk.instruments[1]["tick_e8"] = 6, 10
    desk.catalog, desk.slots = build_catalog(desk.instruments)
    kinds = {}
    for path in sorted((recordings / SPOT_USER_DATA).glob("*.json")):
        kinds[path.stem] = desk.decode(path.read_bytes())["kind"]
    assert len(kinds) == 11
    for name, kind in kinds.items():
        expected = Answer.BALANCE if "balance" in name or "position" in name else Answer.OTHER
        assert kind == (Answer.EXECUTION if name.startswith("execution") else expected)


def test_an_amended_order_is_in_the_reply(desk: Desk) -> None:
    order = {
        "symbol": "BTCUSDT", "orderId": 12, "origClientOrderId": OURS, "clientOrderId": OURS,
        "price": "5.00000000", "qty": "0.00500000", "executedQty": "0.00100000",
        "status": "PARTIALLY_FILLED", "side": "BUY",
    }  # fmt: skip
    result = {"transactTime": 1741923284382, "executionId": 16, "amendedOrder": order}
    assert desk.decode(reply(200, [], result=result)) == {
        "kind": Answer.REPLY, "request_id": 0x123, "status": 200,
        "place_outcome": Outcome.SUCCESS, "instrument_id": 0, "order_id": 0x4D,
        "venue_order_id": 12, "side": Side.BUY, "state": OrderState.RESTING,
        "price_ticks": 500, "qty_lots": 500, "filled_lots": 100,
    }  # fmt: skip
