"""What Bybit says on its order connections, in the forms of its documents and of recordings."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import BYBIT_MESSAGES

from ipc.memory import address_of
from tests.vortex.venues.bybit_rows import linear_rows, spot_rows
from tools.fuzz.scanner import is_json, is_nested_deeply
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
from vortex.records import ANSWER, SESSION
from vortex.venues._bybit.answer_messages import PRIVATE, REQUESTS, decode_message
from vortex.venues._bybit.client_ids import client_order_id
from vortex.wire.signing import fill_session
from vortex.wire.words import words_of

RUN_ID, EPOCH = 0xABC, 2
OURS = client_order_id(RUN_ID, EPOCH, 77)
REQUEST_ID = f"r{RUN_ID:08x}-{EPOCH:04x}-{0x123:012x}"
UUID, UUID_63 = "15141634-9867-4d9f-9159-ba37ae9b5fca", 0x1159BA37AE9B5FCA
FILL_ID = "a3333bcf-4d02-55f1-a9d2-08a5149064f4"
ROOM = 8


class AnswerBench:
    def __init__(self, category: str) -> None:
        self.category = words_of(category.encode())
        rows = linear_rows if category == "linear" else spot_rows
        self.instruments = rows(["BTCUSDT", "ETHUSDT"])
        self.catalog, self.tables = build_catalog(self.instruments)
        self.session = np.zeros(1, dtype=SESSION.dtype)
        fill_session(self.session[0], "name", b"", RUN_ID, EPOCH)
        self.buffer = np.zeros(1 << 15, dtype=np.uint8)
        self.out = np.zeros(ROOM, dtype=ANSWER.dtype)

    def decode(self, connection: int, message: Any, room: int = ROOM) -> Any:
        """Return the Refusal, or of each answer all fields that say something."""
        text = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.buffer[:] = ord("1")
        self.buffer[: len(text)] = np.frombuffer(text, dtype=np.uint8)
        self.out.view(np.uint8)[:] = 0xAA
        count = decode_message(
            connection, address_of(self.buffer), len(text), address_of(self.catalog),
            address_of(self.session), address_of(self.out), room, self.category,
        )  # fmt: skip
        return count if count < 0 else [said(row) for row in self.out[:count]]


def said(row: Any) -> dict[str, int]:
    assert row["reserved"] == b""
    silent = dict.fromkeys(("instrument_id", "trade_id", "order_count_10s"), -1)
    silent["limit_left_count"] = -1
    names = [name for name in ANSWER.dtype.names or () if name != "reserved"]
    return {name: int(row[name]) for name in names if row[name] != silent.get(name, 0)}


LINEAR, SPOT = AnswerBench("linear"), AnswerBench("spot")


def ack(operation: str, code: int = 0, **members: Any) -> dict[str, Any]:
    """Return a reply of the connection of requests."""
    data = {"orderId": UUID, "orderLinkId": OURS} if code == 0 else {}
    header = {
        "X-Bapi-Limit": "10",
        "X-Bapi-Limit-Status": "9",
        "X-Bapi-Limit-Reset-Timestamp": "1764401421682",
        "Traceid": "7731f013426f418c395ff4787e693f5c",
        "Timenow": "1764401421683",
    }
    return {
        "reqId": REQUEST_ID, "retCode": code, "retMsg": "words", "op": operation, "data": data,
        "retExtInfo": {}, "header": header, "connId": "d4al7m6c0hv96a0jimg0-b9a1", **members,
    }  # fmt: skip


REPLY = {
    "kind": Answer.REPLY,
    "request_id": 0x123,
    "limit_left_count": 9,
    "venue_ns": 1764401421683 * 10**6,
}
DONE = {**REPLY, "status": 200, "venue_order_id": UUID_63}


def test_an_accepted_order_is_not_resting() -> None:
    assert LINEAR.decode(REQUESTS, ack("order.create")) == [
        {**DONE, "place_outcome": Outcome.SUCCESS, "order_id": 77, "state": OrderState.SENT}
    ]


def test_an_accepted_amendment_and_cancel() -> None:
    assert LINEAR.decode(REQUESTS, ack("order.amend")) == [
        {**DONE, "place_outcome": Outcome.SUCCESS, "order_id": 77}
    ]
    assert LINEAR.decode(REQUESTS, ack("order.cancel")) == [
        {**DONE, "cancel_outcome": Outcome.SUCCESS, "canceled_order_id": 77}
    ]


@pytest.mark.parametrize(
    ("code", "reject"),
    [
        (110003, Reject.VENUE_FILTER),
        (170134, Reject.VENUE_FILTER),
        (110001, Reject.VENUE_UNKNOWN_ORDER),
        (170213, Reject.VENUE_UNKNOWN_ORDER),
        (110007, Reject.VENUE_BALANCE),
        (170131, Reject.VENUE_BALANCE),
        (170218, Reject.VENUE_WOULD_TAKE),
        (10002, Reject.VENUE_CLOCK),
        (10004, Reject.VENUE_SIGNATURE),
        (10001, Reject.VENUE_OTHER),
        (110072, Reject.VENUE_OTHER),
    ],
)
def test_a_refusal_leaves_both_halves_undone(code: int, reject: Reject) -> None:
    assert LINEAR.decode(REQUESTS, ack("order.create", code)) == [
        {
            **REPLY,
            "status": 400,
            "error_code": code,
            "reject": reject,
            "cancel_outcome": Outcome.FAILURE,
            "place_outcome": Outcome.FAILURE,
        }
    ]


@pytest.mark.parametrize("code", [10000, 10016, 170007, 170032, 170146, 170147])
def test_where_the_venue_does_not_know_nobody_does(code: int) -> None:
    (answer,) = LINEAR.decode(REQUESTS, ack("order.create", code))
    assert (answer["status"], answer["place_outcome"]) == (500, Outcome.UNKNOWN)


def test_a_throttle_says_until_when() -> None:
    header = ack("x")["header"]
    later = {**header, "X-Bapi-Limit-Status": "0", "X-Bapi-Limit-Reset-Timestamp": "1764401422500"}
    (answer,) = LINEAR.decode(REQUESTS, ack("order.create", 10006, header=later))
    assert (answer["status"], answer["reject"]) == (429, Reject.VENUE_THROTTLED)
    assert answer["retry_after_ms"] == 1764401422500
    assert "limit_left_count" in answer
    assert answer["limit_left_count"] == 0
    # A reset that is over already: a second, by the venue's clock.
    (answer,) = LINEAR.decode(REQUESTS, ack("order.create", 10429))
    assert answer["retry_after_ms"] == 1764401422683


def test_a_restart_is_announced() -> None:
    replies = LINEAR.decode(REQUESTS, ack("order.create", 10019))
    assert [answer["kind"] for answer in replies] == [Answer.REPLY, Answer.SHUTDOWN]
    assert LINEAR.decode(REQUESTS, ack("order.create", 10019), room=1) == Refusal.TOO_LARGE


def test_a_reply_of_another_run_answers_nothing_of_ours() -> None:
    (answer,) = LINEAR.decode(REQUESTS, ack("order.create", reqId="test-005"))
    assert "request_id" not in answer


def test_other_messages_of_the_connection_of_requests() -> None:
    pong = {"retCode": 0, "retMsg": "OK", "op": "pong", "data": ["1711002002529"], "connId": "c"}
    assert LINEAR.decode(REQUESTS, pong) == [{"kind": Answer.OTHER}]
    auth = {"retCode": 0, "retMsg": "OK", "op": "auth", "connId": "d4"}
    assert LINEAR.decode(REQUESTS, auth) == [{"kind": Answer.OTHER}]
    assert LINEAR.decode(REQUESTS, {**auth, "retCode": 10004}) == [{"kind": Answer.STREAM_ENDED}]
    assert LINEAR.decode(REQUESTS, b"[1]") == Refusal.NOT_KNOWN
    assert LINEAR.decode(REQUESTS, b"{}") == Refusal.NOT_KNOWN
    assert LINEAR.decode(REQUESTS, b"{") == Refusal.NOT_JSON


def order(status: str, **more: Any) -> dict[str, Any]:
    """Return one row of the topic ``order``, as linear contracts have it."""
    return {
        "avgPrice": "", "cancelType": "UNKNOWN", "category": "linear", "cumExecQty": "0",
        "createdTime": "1682917170023", "leavesQty": "0.001", "orderId": UUID,
        "orderStatus": status, "orderLinkId": OURS, "orderType": "Limit", "positionIdx": 0,
        "price": "27673.40", "qty": "0.003", "reduceOnly": False, "rejectReason": "EC_NoError",
        "side": "Buy", "symbol": "BTCUSDT", "timeInForce": "PostOnly",
        "updatedTime": "1682917170026", **more,
    }  # fmt: skip


def private(topic: str, *rows: Any) -> dict[str, Any]:
    """Return a message of a private topic."""
    return {"topic": topic, "id": "11eb7e", "creationTime": 1682917170027, "data": list(rows)}


ORDER_SAID = {
    "kind": Answer.EXECUTION,
    "order_id": 77,
    "venue_order_id": UUID_63,
    "instrument_id": 0,
    "side": Side.BUY,
    "price_ticks": 276734,
    "qty_lots": 3,
    "venue_ns": 1682917170026 * 10**6,
}


def state_of(row: dict[str, Any], bench: AnswerBench = LINEAR) -> Any:
    """Return execution, state, reject and filled lots of an order row."""
    (answer,) = bench.decode(PRIVATE, private("order", row))
    assert answer["kind"] == Answer.EXECUTION
    names = ("execution", "state", "reject", "filled_lots")
    return tuple(answer.get(name, 0) for name in names)


@pytest.mark.parametrize("topic", ["order", "order.linear"])
def test_an_order_in_the_book(topic: str) -> None:
    assert LINEAR.decode(PRIVATE, private(topic, order("New"))) == [
        {**ORDER_SAID, "execution": Execution.NEW, "state": OrderState.RESTING}
    ]


def test_what_an_orders_status_means() -> None:
    resting, canceled, expired = OrderState.RESTING, OrderState.CANCELED, OrderState.EXPIRED
    part = {"cumExecQty": "0.002"}
    by_user = {"cancelType": "CancelByUser", "rejectReason": "EC_PerCancelRequest"}
    would_take = {"rejectReason": "EC_PostOnlyWillTakeLiquidity"}
    nothing = {"rejectReason": "EC_NoImmediateQtyToFill"}
    none, taken = Reject.NONE, Reject.VENUE_WOULD_TAKE
    cases = [
        (order("PartiallyFilled", **part), (Execution.NEW, resting, none, 2)),
        (order("Filled", cumExecQty="0.003"), (Execution.NEW, OrderState.FILLED, none, 3)),
        (order("Cancelled", **by_user), (Execution.CANCELED, canceled, none, 0)),
        (order("Cancelled", **by_user, **part), (Execution.CANCELED, canceled, none, 2)),
        (order("Cancelled", cancelType="CancelByDCP"), (Execution.CANCELED, canceled, none, 0)),
        (order("Cancelled", cancelType="CancelBySmp"), (Execution.PREVENTED, expired, none, 0)),
        (order("Cancelled", **would_take), (Execution.EXPIRED, expired, taken, 0)),
        (order("Cancelled", **nothing), (Execution.EXPIRED, expired, none, 0)),
        (
            order("Rejected", rejectReason="EC_Others"),
            (Execution.REJECTED, OrderState.REJECTED, Reject.VENUE_OTHER, 0),
        ),
        (
            order("Rejected", rejectReason="EC_Others", **part),
            (Execution.CANCELED, canceled, Reject.VENUE_OTHER, 2),
        ),
    ]
    for row, meant in cases:
        assert state_of(row) == meant, row


def test_a_cancel_that_came_too_late_is_reported_as_a_second_fill() -> None:
    late = {"cancelType": "CancelByUser", "rejectReason": "EC_OrigClOrdIDDoesNotExist"}
    first, second = order("Filled", cumExecQty="0.003"), order("Filled", cumExecQty="0.003", **late)
    assert state_of(first)[:3] == (Execution.NEW, OrderState.FILLED, Reject.NONE)
    assert state_of(second)[:3] == (
        Execution.NEW,
        OrderState.FILLED,
        Reject.VENUE_UNKNOWN_ORDER,
    )


def test_an_order_of_spot_leaves_much_empty() -> None:
    empty = {"leavesQty": "", "updatedTime": "", "rejectReason": "", "avgPrice": ""}
    row = order("PartiallyFilledCanceled", category="spot", cumExecQty="0.001000", **empty)
    row |= {"orderId": "1405980802291926784", "price": "27061.6"}
    (answer,) = SPOT.decode(PRIVATE, private("order.spot", row))
    assert answer["venue_order_id"] == 1405980802291926784
    assert (answer["state"], answer["filled_lots"]) == (OrderState.CANCELED, 1000)
    assert "venue_ns" not in answer


def execution(**more: Any) -> dict[str, Any]:
    """Return one row of the topic ``execution``, as linear contracts have it."""
    return {
        "blockTradeId": "", "category": "linear", "execFee": "0.01714062", "execId": FILL_ID,
        "execPrice": "28567.70", "execQty": "0.001", "execTime": "1682924344203",
        "execType": "Trade", "execValue": "28.5677", "feeRate": "0.0006", "isMaker": True,
        "leavesQty": "0.002", "orderId": UUID, "orderLinkId": OURS, "orderPrice": "28567.70",
        "orderQty": "0.003", "orderType": "Limit", "symbol": "BTCUSDT", "side": "Sell",
        "closedSize": "0", **more,
    }  # fmt: skip


FILL_SAID = {
    "kind": Answer.EXECUTION,
    "order_id": 77,
    "venue_order_id": UUID_63,
    "execution": Execution.TRADE,
    "state": OrderState.RESTING,
    "instrument_id": 0,
    "side": Side.SELL,
    "price_ticks": 285677,
    "qty_lots": 3,
    "filled_lots": 1,
    "fill_ticks": 285677,
    "fill_lots": 1,
    "trade_id_high": int(FILL_ID[:18].replace("-", ""), 16) - 2**64,
    "trade_id": 0xA9D208A5149064F4 - 2**64,
    "fee_e8": 1714062,
    "fee_asset": FeeAsset.QUOTE,
    "is_maker": 1,
    "venue_ns": 1682924344203 * 10**6,
}


def test_a_fill() -> None:
    assert LINEAR.decode(PRIVATE, private("execution", execution())) == [FILL_SAID]


def test_several_rows_are_several_answers() -> None:
    foreign = execution(symbol="XRPUSDT")
    rows = [execution(), foreign, execution(leavesQty="0", isMaker=False), order("New")]
    first, second = LINEAR.decode(PRIVATE, private("execution.linear", *rows[:3]))
    assert first == FILL_SAID
    assert second["state"] == OrderState.FILLED
    assert "is_maker" not in second
    spot_row = execution(category="spot")
    assert LINEAR.decode(PRIVATE, private("execution", foreign, spot_row)) == [
        {"kind": Answer.OTHER}
    ]
    message = private("execution", *[execution()] * 3)
    assert LINEAR.decode(PRIVATE, message, room=2) == Refusal.TOO_LARGE


def test_a_fee_is_rounded_against_us() -> None:
    fees = {
        "0.0000000123": 2,
        "0.00000001": 1,
        "-0.0000000123": -1,
        "-0.00025": -25_000,
        "": 0,
        "12.123456789": 1212345679,
    }
    for text, fee_e8 in fees.items():
        (answer,) = LINEAR.decode(PRIVATE, private("execution", execution(execFee=text)))
        assert answer.get("fee_e8", 0) == fee_e8, text


@pytest.mark.parametrize(
    ("side", "currency", "asset"),
    [
        ("Buy", "", FeeAsset.BASE),
        ("Sell", "", FeeAsset.QUOTE),
        ("Buy", "USDT", FeeAsset.QUOTE),
        ("Sell", "BTC", FeeAsset.BASE),
        ("Sell", "MNT", FeeAsset.OTHER),
    ],
)
def test_what_a_fee_of_spot_is_paid_in(side: str, currency: str, asset: FeeAsset) -> None:
    row = execution(category="spot", side=side, feeCurrency=currency, execId="2290000000041952190")
    (answer,) = SPOT.decode(PRIVATE, private("execution", row))
    assert answer["fee_asset"] == asset
    assert "trade_id_high" not in answer
    assert answer["trade_id"] == 2290000000041952190


@pytest.mark.parametrize("kind", ["Funding", "AdlTrade", "BustTrade", "Settle"])
def test_what_is_no_trade_is_an_account_event(kind: str) -> None:
    row = execution(execType=kind, orderLinkId="")
    (answer,) = LINEAR.decode(PRIVATE, private("execution", row))
    assert answer["kind"] == Answer.BALANCE
    assert "fill_lots" not in answer


def test_a_row_of_ours_that_cannot_be_read_is_refused_and_one_of_others_is_not() -> None:
    odd = {"execQty": "0.0015"}
    assert LINEAR.decode(PRIVATE, private("execution", execution(**odd))) == Refusal.OFF_TICK
    foreign = execution(**odd, orderLinkId="by hand")
    assert LINEAR.decode(PRIVATE, private("execution", foreign, execution())) == [
        {"kind": Answer.OTHER},
        FILL_SAID,
    ]
    fast = {name: value for name, value in execution().items() if name != "leavesQty"}
    assert LINEAR.decode(PRIVATE, private("execution.fast", fast)) == Refusal.MISSING_KEY


def test_other_messages_of_the_private_connection() -> None:
    pong = {"req_id": "test", "op": "pong", "args": ["1675418560633"], "conn_id": "c"}
    assert LINEAR.decode(PRIVATE, pong) == [{"kind": Answer.OTHER}]
    done = {"success": True, "ret_msg": "", "op": "subscribe", "conn_id": "c"}
    assert LINEAR.decode(PRIVATE, done) == [{"kind": Answer.OTHER}]
    assert LINEAR.decode(PRIVATE, {**done, "success": False}) == [{"kind": Answer.STREAM_ENDED}]
    for topic in ("wallet", "position", "position.linear"):
        assert LINEAR.decode(PRIVATE, private(topic, {})) == [{"kind": Answer.BALANCE}]
    assert LINEAR.decode(PRIVATE, private("greeks", {})) == [{"kind": Answer.OTHER}]
    assert LINEAR.decode(PRIVATE, {"topic": "order"}) == Refusal.MISSING_KEY
    assert LINEAR.decode(PRIVATE, b"{}") == Refusal.NOT_KNOWN
    assert LINEAR.decode(PRIVATE, b"nul") == Refusal.NOT_JSON


MESSAGES = [
    (REQUESTS, ack("order.create")),
    (REQUESTS, ack("order.cancel", 110001)),
    (REQUESTS, ack("order.amend", 10006)),
    (PRIVATE, private("order", order("New"), order("Cancelled", cumExecQty="0.001"))),
    (PRIVATE, private("execution", execution(), execution(execFee="-0.0000000125"))),
    (PRIVATE, private("wallet", {"coin": [{"coin": "BTC"}]})),
]


@settings(max_examples=500)
@given(
    message=st.sampled_from(MESSAGES),
    place=st.integers(0, 10**4),
    byte=st.one_of(st.sampled_from(b'"\\{}[],:019.-e '), st.integers(0, 255)),
)
def test_a_changed_byte_is_refused_or_read_as_json_reads_it(
    message: Any, place: int, byte: int
) -> None:
    connection, root = message
    text = json.dumps(root, separators=(",", ":")).encode()
    place %= len(text)
    text = text[:place] + bytes([byte]) + text[place + 1 :]
    got = LINEAR.decode(connection, text)
    assert (got == Refusal.NOT_JSON) >= (not is_json(text) and not is_nested_deeply(text))
    if is_json(text) and b"\\" not in text and byte < 128:
        # Spaces, the order of keys, and keys that occur twice change nothing.
        plain = json.loads(text)
        if isinstance(plain, dict):
            spaced = json.dumps(dict(reversed(plain.items())), indent=1).encode()
            assert b"Infinity" in spaced or LINEAR.decode(connection, spaced) == got, text


@settings(max_examples=200)
@given(message=st.sampled_from(MESSAGES), size=st.integers(0, 10**4))
def test_a_cut_message_is_refused(message: Any, size: int) -> None:
    connection, root = message
    text = json.dumps(root).encode()
    assert LINEAR.decode(connection, text[: size % len(text)]) == Refusal.NOT_JSON


def test_single_messages_of_another_source_are_of_the_kind_that_they_say(recordings: Path) -> None:
    folder = recordings / BYBIT_MESSAGES
    for path in sorted(folder.glob("ws_account_*.json")):
        root = json.loads(path.read_text())
        if "topic" not in root:
            continue  # a row by itself
        answers = LINEAR.decode(PRIVATE, root)
        assert isinstance(answers, list), path.name
        assert len(answers) == max(1, len(root["data"])) or "BTCUSDT" not in path.read_text()
        if root["topic"] in ("wallet", "position"):
            assert [answer["kind"] for answer in answers] == [Answer.BALANCE]
    reply = json.loads((folder / "ws_order_response.json").read_text())
    (answer,) = LINEAR.decode(REQUESTS, reply)
    assert answer["venue_order_id"] == int(reply["data"]["orderId"])
    assert answer["place_outcome"] == Outcome.SUCCESS
