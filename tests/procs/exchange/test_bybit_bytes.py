"""Whatever bytes a client sends to Bybit's doors: one answer to each message, and no error."""

import asyncio
import json
import secrets
from types import SimpleNamespace

import pytest
from bybit_client import now_ms, sign
from hypothesis import given, settings
from hypothesis import strategies as st

from procs.exchange.core.exchange_config import BybitConfig, ExchangeConfig, SymbolConfig
from procs.exchange.doors.request_log import RequestLog
from procs.exchange.exchange import Exchange

PATHS = ("/v5/public/linear", "/v5/public/spot", "/v5/private", "/v5/trade")
WORDS = st.sampled_from(
    [
        *("auth", "ping", "subscribe", "unsubscribe", "order.create", "order.amend"),
        *("order.cancel", "order.create-batch", "order.cancel-batch", "orderbook.50.BTCUSDT"),
        *("order", "wallet", "dcp.future", "publicTrade.BTCUSDT", "linear", "spot", "BTCUSDT"),
        *("Buy", "Sell", "Limit", "Market", "GTC", "IOC", "FOK", "PostOnly", "CancelBoth"),
        *("1", "0.001", "60000.0", "-1", "1e3", "0", "", "NaN", "99999999999999999999"),
    ]
)
NAMES = st.sampled_from(
    [
        *("op", "args", "req_id", "reqId", "header", "category", "symbol", "side", "orderType"),
        *("qty", "price", "timeInForce", "orderLinkId", "orderId", "request", "reduceOnly"),
        *("smpType", "positionIdx", "marketUnit", "X-BAPI-TIMESTAMP", "X-BAPI-RECV-WINDOW"),
    ]
)
SCALARS = st.one_of(
    WORDS, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=6)
    ),
    max_leaves=20,
)
ORDERS = st.fixed_dictionaries(
    {"category": st.sampled_from(["linear", "spot"]), "symbol": st.just("BTCUSDT")},
    optional={
        "side": st.sampled_from(["Buy", "Sell", "x"]),
        "orderType": st.sampled_from(["Limit", "Market", 3]),
        "qty": st.sampled_from(["0.001", "0", "1", "x"]) | SCALARS,
        "price": st.sampled_from(["60000.0", "0", "1"]) | SCALARS,
        "timeInForce": st.sampled_from(["GTC", "IOC", "FOK", "PostOnly"]) | SCALARS,
        "orderLinkId": st.text(max_size=3) | SCALARS,
        "orderId": SCALARS,
        "reduceOnly": SCALARS,
        "request": VALUES,
    },
)
REQUESTS = st.fixed_dictionaries(
    {"op": WORDS, "args": VALUES | st.lists(WORDS, max_size=3) | st.lists(ORDERS, max_size=2)},
    optional={"header": VALUES, "req_id": VALUES, "reqId": VALUES},
)
MESSAGES = st.one_of(
    st.binary(max_size=60),
    VALUES.map(lambda value: json.dumps(value).encode()),
    REQUESTS.map(lambda value: json.dumps(value).encode()),
)


@pytest.fixture(scope="module")
def dialect():
    rows = [
        SymbolConfig(
            "BTCUSDT", "BTC", "USDT", "60000.00", dialect=name, tick_size="0.10", lot_size="0.001"
        )
        for name in ("bybit_linear", "bybit_spot")
    ]
    wide = BybitConfig(linear_orders_per_s=10**6, ack_delay_ms_min=0.0, ack_delay_ms_max=0.0)
    exchange = Exchange(ExchangeConfig(symbols=tuple(rows), bybit=wide), [("key", "secret")])
    exchange.open_simulated()
    return exchange.dialects["bybit"]


class Transport:
    """Keeps what is sent to a client."""

    is_close_frame_sent = False

    def __init__(self):
        self.sent = []
        self.underlying_transport = SimpleNamespace(write=lambda _: None)

    def send(self, _, message, **__):
        self.sent.append(json.loads(message))


def logged_on(dialect, path):
    connection = dialect.listeners(RequestLog(None))["ws"](SimpleNamespace(path=path.encode()))
    transport = Transport()
    connection.on_ws_connected(transport)
    if "public" not in path:
        expires = now_ms() + 5000
        args = ["key", expires, sign("secret", f"GET/realtime{expires}")]
        connection.on_text(json.dumps({"op": "auth", "args": args}).encode())
    return connection, transport


def freshened(message):
    """Return a message with a stamp and an id of now, where it is a request at all."""
    try:
        body = json.loads(message)
    except ValueError:
        return message
    if not isinstance(body, dict):
        return message
    stamp = {"X-BAPI-TIMESTAMP": str(now_ms()), "X-BAPI-RECV-WINDOW": "60000"}
    return json.dumps({**body, "header": stamp, "reqId": secrets.token_hex(8)}).encode()


@pytest.mark.parametrize("path", PATHS)
@settings(max_examples=60)
@given(messages=st.lists(MESSAGES, max_size=4), fresh=st.booleans())
def test_each_message_has_one_answer(dialect, path, messages, fresh):
    """Also an order that is well formed but for one value, with a fresh header or without."""

    async def run():
        connection, transport = logged_on(dialect, path)
        asked = 0
        for message in messages:
            sent = freshened(message) if fresh else message
            transport.sent.clear()
            connection.on_text(sent)
            await asyncio.sleep(0.001)
            answers = [answer for answer in transport.sent if "topic" not in answer]
            assert len(answers) == 1, (sent, answers)
            asked += 1
        connection.on_ws_disconnected(transport)
        return asked

    assert asyncio.run(run()) == len(messages)
    desk = dialect.desks.of(1)
    for order in list(desk.open_orders.values()):
        desk.take_away(order, "CancelByUser")
    desk.take_news()
