"""Bybit's HTTP side: signatures, pages, budgets, and what is listed."""

import json

import pytest
from bybit_client import BybitClient, bybit_config, limit_order, market_order, now_ms, sign
from recordings import BYBIT_MESSAGES, BYBIT_SYMBOLS, loaded

CREATE = "/v5/order/create"


@pytest.fixture
def venue(bybit):
    bybit.flatten()
    yield bybit
    bybit.flatten()
    bybit.close()


def code(answer):
    status, _, body = answer
    assert status == 200
    return body["retCode"]


def test_signatures_follow_the_recorded_vector():
    """The venue's rule for sockets and for queries, on values worked out elsewhere."""
    socket = sign("test_secret", "GET/realtime1700000000000")
    assert socket == "bacffe7500499eb829bb58c45d36d1b3e5ac67c14eaeba91df5e99ccee013925"
    query = sign("test_secret", "1700000000000test_api_key5000category=linear&symbol=BTCUSDT")
    assert query == "fd4f31228a46109dc6673062328693696df9a96c7ff04e6491a45e7f63a0fdd7"


def test_who_may_ask(venue):
    """No key, an unknown key, a wrong signature, an old stamp, a future one."""
    path, query = "/v5/account/wallet-balance", {"accountType": "UNIFIED"}
    assert code(venue.http("GET", path, query, signed=False)) == 10003
    assert code(venue.http("GET", path, query, headers={"X-BAPI-API-KEY": "nobody"})) == 10003
    assert code(venue.http("GET", path, query, headers={"X-BAPI-SIGN": "00"})) == 10004
    for stamp in (now_ms() - 5500, now_ms() + 2000):
        headers = {"X-BAPI-TIMESTAMP": str(stamp)}
        assert code(venue.http("GET", path, query, headers=headers)) == 10002
    assert code(venue.http("GET", path, query, headers={"X-BAPI-TIMESTAMP": "x"})) == 10001
    assert code(venue.http("GET", path, query)) == 0


def test_the_clock_and_the_symbols(venue):
    """Linear comes in pages, spot does not; the steps are those of the configuration."""
    seconds = int(venue.get("/v5/market/time")["timeSecond"])
    assert abs(seconds - now_ms() / 1000) < 60
    path = "/v5/market/instruments-info"
    first = venue.get(path, {"category": "linear", "limit": 1})
    second = venue.get(path, {"category": "linear", "limit": 1, "cursor": first["nextPageCursor"]})
    rows = first["list"] + second["list"]
    assert [row["symbol"] for row in rows] == ["BTCUSDT", "ETHUSDT"]
    assert (len(first["list"]), second["nextPageCursor"]) == (1, "")
    assert rows[0]["priceFilter"]["tickSize"] == "0.10"
    assert rows[0]["lotSizeFilter"]["qtyStep"] == "0.001"
    assert (rows[0]["fundingInterval"], rows[0]["settleCoin"]) == (480, "USDT")
    spot = venue.get(path, {"category": "spot"})
    assert "nextPageCursor" not in spot
    assert spot["list"][0]["lotSizeFilter"]["basePrecision"] == "0.000001"
    assert code(venue.http("GET", path, {"category": "linear", "symbol": "NOPE"})) == 10001
    assert code(venue.http("GET", path)) == 10001


def test_symbols_have_the_recorded_fields(venue, recordings):
    recorded = loaded(recordings / BYBIT_SYMBOLS)
    for category in ("linear", "spot"):
        mine = venue.get("/v5/market/instruments-info", {"category": category})["list"][0]
        theirs = recorded[category][0]
        assert set(mine) == set(theirs), category
        for name in ("priceFilter", "lotSizeFilter", "riskParameters"):
            assert set(mine[name]) == set(theirs[name]), name


def test_private_messages_have_the_recorded_fields(venue, recordings):
    """Orders, executions, positions and balances have every field of the recorded ones."""
    folder = recordings / BYBIT_MESSAGES
    private = venue.private("order", "execution", "execution.fast", "position", "wallet")
    assert code(venue.http("POST", CREATE, market_order())) == 0
    mine = {}
    while len(mine) < 5:
        message = private.until(lambda m: True)
        mine.setdefault(message["topic"], message)
    for topic in ("order", "execution", "execution_fast", "position", "wallet"):
        theirs = json.loads((folder / f"ws_account_{topic}.json").read_text())
        ours = mine[topic.replace("_", ".")]
        assert set(theirs) <= set(ours), topic
        wanted, got = theirs["data"][0], ours["data"][0]
        missing = {name for name in wanted if name.lower() not in {each.lower() for each in got}}
        assert not missing, topic
        if topic == "wallet":
            assert set(wanted["coin"][0]) <= set(got["coin"][0])


def test_orders_are_listed_open_and_finished(venue):
    """Open ones in pages; one by its id, also when it is over; history has the finished."""
    price = f"{venue.touch()[0] - 1500:.1f}"
    orders = [limit_order(price) for _ in range(3)]
    ids = []
    for order in orders:
        answer = venue.http("POST", CREATE, order)
        assert code(answer) == 0
        assert int(answer[1]["X-Bapi-Limit"]) == 1000
        assert int(answer[1]["X-Bapi-Limit-Status"]) <= 999
        ids.append(answer[2]["result"]["orderId"])
    query, cursor, found = {"category": "linear", "symbol": "BTCUSDT", "limit": 2}, "", []
    while True:
        page = venue.get("/v5/order/realtime", {**query, "cursor": cursor})
        found += [row["orderId"] for row in page["list"]]
        cursor = page["nextPageCursor"]
        if not cursor:
            break
    assert found == ids[::-1]
    amended = {"category": "linear", "symbol": "BTCUSDT", "orderId": ids[0], "qty": "0.007"}
    assert code(venue.http("POST", "/v5/order/amend", amended)) == 0
    assert code(venue.http("POST", "/v5/order/cancel", amended)) == 0
    one = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": orders[0]["orderLinkId"]}
    row = venue.get("/v5/order/realtime", one)["list"][0]
    assert (row["orderStatus"], row["qty"], row["orderId"]) == ("Cancelled", "0.007", ids[0])
    history = venue.get("/v5/order/history", {"category": "linear", "symbol": "BTCUSDT"})["list"]
    assert history[0]["orderId"] == ids[0]
    body = {"category": "linear", "settleCoin": "USDT"}
    gone = venue.http("POST", "/v5/order/cancel-all", body)[2]["result"]["list"]
    assert {row["orderId"] for row in gone} == set(ids[1:])
    assert code(venue.http("POST", "/v5/order/cancel-all", {"category": "linear"})) == 10001
    assert venue.get("/v5/order/realtime", query)["list"] == []


def test_a_body_that_is_no_order(venue):
    """Each is answered with a code, and the exchange goes on."""
    for body in (None, {}, {"category": "linear"}, {"category": "linear", "symbol": 3}):
        assert code(venue.http("POST", CREATE, body)) == 10001
    assert code(venue.http("POST", CREATE, [1, 2])) == 10001
    assert code(venue.http("GET", "/v5/order/realtime", {"category": "linear"})) == 10001
    assert code(venue.http("GET", "/v5/position/list", {"category": "linear"})) == 10001
    for name in ("limit", "cursor", "startTime"):
        query = {"category": "linear", "symbol": "BTCUSDT", name: "x"}
        assert code(venue.http("GET", "/v5/execution/list", query)) == 10001
    status, body = venue.control("POST", "faults", {"fault": "stale_snapshots", "count": 1})
    assert (status, list(body)) == (400, ["error"])


def test_one_address_has_a_budget(start_exchange):
    """Beyond it the status is 403, as the venue does."""
    config = bybit_config(budgets="[bybit]\nrest_requests_per_5s = 5\n")
    with start_exchange(config=config) as process:
        venue = BybitClient(process.ports, process.key, process.secret)
        statuses = [venue.http("GET", "/v5/market/time", signed=False)[0] for _ in range(7)]
        assert statuses == [200] * 5 + [403] * 2


def test_the_side_door_and_the_report(start_exchange):
    """The books of this venue are its own, beside Binance's in one process."""
    with start_exchange("--audit", config=bybit_config()) as process:
        venue = BybitClient(process.ports, process.key, process.secret)
        order = market_order(qty="0.020")
        assert code(venue.http("POST", CREATE, order)) == 0
        status, books = venue.control("GET", "audit")
        assert status == 200
        (row,) = books["orders"]
        assert (row["client_order_id"], row["dialect"]) == (order["orderLinkId"], "bybit_linear")
        assert [r["method"] for r in books["requests"]] == ["order.create"]
        assert books["accounts"][0]["positions"]["linear:BTCUSDT"] == "0.02000000"
        assert process.control("GET", "audit")[1]["orders"] == []
        assert venue.control("GET", "status")[1]["positions"]["linear:BTCUSDT"] == "0.02000000"
        venue.close()
    report = json.loads(process.report_path.read_text())
    assert report["orders_received"] == 0
    assert report["bybit"]["orders_received"] == 1
    assert next(r["orderLinkId"] for r in report["bybit"]["fills"]["linear:BTCUSDT"])
