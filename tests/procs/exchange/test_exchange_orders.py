"""Orders: placing, filling, cancelling, replacing, and the events that the account receives."""

import json
import time
from decimal import Decimal

import pytest

FAR = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.00100"}


def touch(api, symbol="BTCUSDT"):
    book = api.call("depth", {"symbol": symbol, "limit": 5}, signed=False)["result"]
    return Decimal(book["bids"][0][0]), Decimal(book["asks"][0][0])


def far_bid(api, client_id, **changes):
    price = touch(api)[0] - 500
    return {**FAR, "price": f"{price:.2f}", "newClientOrderId": client_id, **changes}


def unique(name):
    return f"{name}-{time.monotonic_ns()}"


def code(reply):
    return reply["status"], reply["error"]["code"], reply["error"]["msg"]


def test_place_and_cancel_send_events_to_the_account(exchange):
    """A resting order gives NEW and a lock; its cancel gives CANCELED with both ids, and frees."""
    api = exchange.api().subscribe()
    name, cancel_name = unique("rest"), unique("cancel")
    reply = api.call("order.place", far_bid(api, name, newOrderRespType="RESULT"))
    assert reply["status"] == 200
    assert reply["result"]["status"] == "NEW"
    assert [row["rateLimitType"] for row in reply["rateLimits"]] == [
        "ORDERS",
        "ORDERS",
        "REQUEST_WEIGHT",
    ]
    new = api.until_execution("NEW", name)
    assert (new["X"], new["i"], new["c"], new["C"]) == (
        "NEW",
        reply["result"]["orderId"],
        name,
        "",
    )
    position = api.until(lambda e: e["e"] == "outboundAccountPosition")
    locked = {row["a"]: Decimal(row["l"]) for row in position["B"]}
    assert locked["USDT"] >= Decimal(new["p"]) * Decimal("0.001")
    cancel = {"symbol": "BTCUSDT", "origClientOrderId": name, "newClientOrderId": cancel_name}
    reply = api.call("order.cancel", cancel)
    assert reply["result"]["status"] == "CANCELED"
    assert reply["result"]["origClientOrderId"] == name
    gone = api.until_execution("CANCELED", name)
    assert (gone["c"], gone["C"], gone["X"]) == (cancel_name, name, "CANCELED")
    assert code(api.call("order.cancel", cancel)) == (400, -2011, "Unknown order sent.")


def test_taker_and_maker_fills(exchange):
    """A market order fills as taker; a quote at the touch fills as maker; fees in what came in."""
    api = exchange.api().subscribe()
    name = unique("take")
    market = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01000"}
    reply = api.call("order.place", {**market, "newClientOrderId": name})
    assert reply["result"]["status"] == "FILLED"
    bought = sum(Decimal(fill["qty"]) for fill in reply["result"]["fills"])
    assert bought == Decimal("0.01")
    trade = api.until_execution("TRADE", name)
    fee = (Decimal(trade["l"]) * Decimal("0.0005")).quantize(Decimal("1e-8"), "ROUND_DOWN")
    assert (trade["N"], Decimal(trade["n"]), trade["m"]) == ("BTC", fee, False)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        name = unique("make")
        ask = touch(api)[1]
        quote = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT_MAKER", "price": f"{ask}"}
        api.call("order.place", {**quote, "quantity": "0.00100", "newClientOrderId": name})
        time.sleep(0.3)
        api.call("order.cancel", {"symbol": "BTCUSDT", "origClientOrderId": name})
        made = [e for e in api.events if e.get("x") == "TRADE" and e["c"] == name]
        if made:
            break
    assert made, "no quote at the touch was ever filled"
    assert (made[0]["m"], made[0]["N"], made[0]["L"]) == (True, "USDT", made[0]["p"])


def test_refusals_have_the_venues_codes(exchange):
    """Each rule broken gives the venue's status, code and words."""
    api = exchange.api()
    bid, ask = touch(api)
    base = far_bid(api, unique("x"))
    limit = {**base, "type": "LIMIT", "timeInForce": "GTC"}

    def place(**changes):
        wanted = {**base, **changes}
        return code(api.call("order.place", {k: v for k, v in wanted.items() if v is not None}))

    crossing = f"{ask + 5:.2f}"
    would_take = "Order would immediately match and take."
    assert place(price=crossing) == (400, -2010, would_take)
    assert place(quantity="0.000001") == (400, -1013, "Filter failure: LOT_SIZE")
    assert place(price=f"{bid - 500:.3f}1")[:2] == (400, -1013)
    assert place(quantity="0.0000000001")[:2] == (400, -1111)
    assert place(quantity="0.00001") == (400, -1013, "Filter failure: NOTIONAL")
    assert place(price="1.00") == (400, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE")
    assert place(symbol="NOSUCH") == (400, -1121, "Invalid symbol.")
    assert place(side="HOLD")[:2] == (400, -1117)
    assert place(type="DREAM")[:2] == (400, -1116)
    assert place(timeInForce="GTC")[:2] == (400, -1106)
    assert place(price=None)[:2] == (400, -1102)
    assert place(quantity="-1")[:2] == (400, -1100)
    assert place(colour="red")[:2] == (400, -1104)
    assert place(quantity="8000", price=f"{bid - 1:.2f}")[1] in (-1013, -2010)
    assert code(api.call("order.place", {**limit, "timeInForce": "EVER"}))[:2] == (400, -1115)
    rich = {"quantity": "140.00000", "price": f"{bid - 500:.2f}", "side": "SELL", "type": "LIMIT"}
    reply = api.call("order.place", {**limit, **rich})
    assert code(reply)[1:] == (-2010, "Account has insufficient balance for requested action.")
    status = {"symbol": "BTCUSDT", "orderId": 1}
    assert code(api.call("order.status", status)) == (400, -2013, "Order does not exist.")
    assert code(api.call("no.such", {}))[0] == 400


def test_duplicate_client_id_is_refused_while_open_and_free_after(exchange):
    """A client id is unique among open orders, and may be used again when its order is done."""
    api = exchange.api()
    name = unique("dup")
    first = far_bid(api, name)
    assert api.call("order.place", first)["status"] == 200
    assert code(api.call("order.place", first)) == (400, -2010, "Duplicate order sent.")
    cancel = {"symbol": "BTCUSDT", "origClientOrderId": name}
    assert api.call("order.cancel", cancel)["status"] == 200
    assert api.call("order.place", first)["status"] == 200
    assert api.call("order.cancel", cancel)["status"] == 200


def test_signature_and_clock(exchange):
    """A wrong signature, key, or clock is refused with its code; the right one is not."""
    api = exchange.api()
    good = api.signed({})
    assert api.send({"method": "account.status", "params": good})["status"] == 200
    assert code(api.send({"method": "account.status", "params": {**good, "signature": "00"}})) == (
        400,
        -1022,
        "Signature for this request is not valid.",
    )
    stranger = {**good, "apiKey": "x" * 64}
    assert code(api.send({"method": "account.status", "params": stranger}))[1] == -2015
    now_ms = int(time.time() * 1000)
    late = api.call("account.status", {"timestamp": now_ms - 20_000})
    assert code(late)[1:] == (
        -1021,
        "Timestamp for this request is outside of the recvWindow.",
    )
    patient = {"timestamp": now_ms - 20_000, "recvWindow": 60_000}
    assert api.call("account.status", patient)["status"] == 200
    early = api.call("account.status", {"timestamp": now_ms + 20_000})
    assert code(early)[1:] == (
        -1021,
        "Timestamp for this request was 1000ms ahead of the server's time.",
    )


def test_ioc_and_fok(exchange):
    """What an IOC or FOK cannot fill at once expires with the venue's reason."""
    api = exchange.api().subscribe()
    for kind, reason in (
        ("IOC", "UNFILLED_IOC_QUANTITY_EXPIRED"),
        ("FOK", "UNFILLED_FOK_ORDER_EXPIRED"),
    ):
        name = unique(kind)
        order = far_bid(api, name, type="LIMIT", timeInForce=kind)
        reply = api.call("order.place", order)
        assert (reply["status"], reply["result"]["status"]) == (200, "EXPIRED")
        event = api.until_execution("EXPIRED", name)
        assert (event["X"], event["eR"]) == ("EXPIRED", reason)


REPLACE_CASES = [
    # mode, the old order is open, the new one is acceptable -> status, cancel, new
    ("STOP_ON_FAILURE", True, True, 200, "SUCCESS", "SUCCESS"),
    ("STOP_ON_FAILURE", False, True, 400, "FAILURE", "NOT_ATTEMPTED"),
    ("STOP_ON_FAILURE", True, False, 409, "SUCCESS", "FAILURE"),
    ("ALLOW_FAILURE", True, True, 200, "SUCCESS", "SUCCESS"),
    ("ALLOW_FAILURE", False, False, 400, "FAILURE", "FAILURE"),
    ("ALLOW_FAILURE", False, True, 409, "FAILURE", "SUCCESS"),
    ("ALLOW_FAILURE", True, False, 409, "SUCCESS", "FAILURE"),
]


@pytest.mark.parametrize("case", REPLACE_CASES)
def test_cancel_replace_matrix(exchange, case):
    """Each row of the venue's table of outcomes."""
    mode, is_open, acceptable, status, cancel_result, new_result = case
    api = exchange.api().subscribe()
    old, new = unique("old"), unique("new")
    if is_open:
        assert api.call("order.place", far_bid(api, old))["status"] == 200
    order = far_bid(api, new)
    if not acceptable:
        order["price"] = f"{touch(api)[1] + 50:.2f}"
    request = {**order, "cancelReplaceMode": mode, "cancelOrigClientOrderId": old}
    reply = api.call("order.cancelReplace", request)
    assert reply["status"] == status
    outcome = reply["result"] if status == 200 else reply["error"]["data"]
    assert (outcome["cancelResult"], outcome["newOrderResult"]) == (cancel_result, new_result)
    if status != 200:
        assert reply["error"]["code"] == (-2021 if status == 409 else -2022)
    if new_result == "NOT_ATTEMPTED":
        assert outcome["newOrderResponse"] is None
    if new_result == "SUCCESS":
        assert api.until_execution("NEW", new)["X"] == "NEW"
        api.call("order.cancel", {"symbol": "BTCUSDT", "origClientOrderId": new})


def test_replace_may_reuse_the_client_id(exchange):
    """The new order of a cancelReplace may carry the id of the one that it replaces."""
    api = exchange.api()
    name = unique("same")
    order = far_bid(api, name)
    assert api.call("order.place", order)["status"] == 200
    order |= {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrigClientOrderId": name}
    assert api.call("order.cancelReplace", order)["status"] == 200
    reply = api.call("openOrders.cancelAll", {"symbol": "BTCUSDT"})
    assert name in [row["origClientOrderId"] for row in reply["result"]]


def test_own_orders_never_trade_with_each_other(exchange):
    """A taker expires the account's own resting order (EXPIRE_MAKER) and trades with others."""
    api = exchange.api().subscribe()
    mine = unique("own")
    bid, ask = touch(api)
    quote = {**FAR, "price": f"{(bid + ask) / 2 - 2:.2f}", "newClientOrderId": mine}
    assert api.call("order.place", quote)["status"] == 200
    sweep = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "IOC"}
    name = unique("sweep")
    price = f"{bid - 10:.2f}"
    sweep |= {"price": price, "quantity": "90.00000", "newClientOrderId": name}
    api.call("order.place", sweep)
    event = api.until(lambda e: e["e"] == "executionReport" and e["c"] == mine and e["x"] != "NEW")
    assert event["x"] in ("TRADE_PREVENTION", "TRADE")
    if event["x"] == "TRADE_PREVENTION":
        assert event["X"] == "EXPIRED_IN_MATCH"
    back = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET"}
    sold = api.call("order.status", {"symbol": "BTCUSDT", "origClientOrderId": name})["result"]
    api.call("order.place", {**back, "quantity": sold["executedQty"]})


def test_balances_are_the_start_plus_all_fills(exchange):
    """Free plus locked equals the start, plus what all fills moved, less their commissions."""
    api = exchange.api()
    start = {"BTC": Decimal(100), "ETH": Decimal(2000), "USDT": Decimal(10_000_000)}
    for symbol in ("BTCUSDT", "ETHUSDT"):
        for side in ("BUY", "SELL"):
            order = {"symbol": symbol, "side": side, "type": "MARKET", "quantity": "0.02000"}
            assert api.call("order.place", order)["result"]["status"] == "FILLED"
    api.call("order.place", far_bid(api, unique("lock")))
    assert len(api.call("openOrders.status", {"symbol": "BTCUSDT"})["result"]) >= 1
    for symbol, base in (("BTCUSDT", "BTC"), ("ETHUSDT", "ETH")):
        for fill in api.call("myTrades", {"symbol": symbol, "limit": 1000})["result"]:
            sign = 1 if fill["isBuyer"] else -1
            assert Decimal(fill["price"]) * Decimal(fill["qty"]) == Decimal(fill["quoteQty"])
            start[base] += sign * Decimal(fill["qty"])
            start["USDT"] -= sign * Decimal(fill["quoteQty"])
            start[fill["commissionAsset"]] -= Decimal(fill["commission"])
    rows = api.call("account.status", {})["result"]["balances"]
    held = {row["asset"]: Decimal(row["free"]) + Decimal(row["locked"]) for row in rows}
    api.call("openOrders.cancelAll", {"symbol": "BTCUSDT"})
    assert {asset: held[asset] for asset in start} == start


def test_rate_limit_refuses_and_replace_obeys_its_mode(start_exchange):
    """Beyond the budget orders get 429 -1015; CANCEL_ONLY still cancels, DO_NOTHING does not."""
    config = "orders_per_10s = 1000\norders_per_day = 2\nweight_per_minute = 300\n"
    with start_exchange(config=config) as client:
        api = client.api()
        names = [unique("limit") for _ in range(3)]
        for name in names[:2]:
            assert api.call("order.place", far_bid(api, name))["status"] == 200
        status, number, text = code(api.call("order.place", far_bid(api, names[2])))
        assert (status, number) == (429, -1015)
        assert text == "Too many new orders; current limit is 2 orders per 1 DAY."
        request = {**far_bid(api, names[2]), "cancelReplaceMode": "STOP_ON_FAILURE"}
        request["cancelOrigClientOrderId"] = names[0]
        assert code(api.call("order.cancelReplace", request))[:2] == (429, -1015)
        assert len(api.call("openOrders.status", {"symbol": "BTCUSDT"})["result"]) == 2
        request["orderRateLimitExceededMode"] = "CANCEL_ONLY"
        assert api.call("order.cancelReplace", request)["status"] == 429
        assert len(api.call("openOrders.status", {"symbol": "BTCUSDT"})["result"]) == 1
        request |= {"cancelOrigClientOrderId": names[1], "cancelReplaceMode": "ALLOW_FAILURE"}
        reply = api.call("order.cancelReplace", request)
        assert code(reply)[:2] == (409, -2021)
        replies = [api.call("account.status") for _ in range(20)]
        refused = next(reply for reply in replies if reply["status"] != 200)
        assert code(refused)[:2] == (429, -1003)
        assert refused["error"]["data"]["retryAfter"] > refused["error"]["data"]["serverTime"]


def test_unsubscribe_ends_the_user_stream(exchange):
    """Unsubscribing is answered, then eventStreamTerminated comes; it may be done again."""
    api = exchange.api("?returnRateLimits=false").subscribe()
    reply = api.call("userDataStream.subscribe.signature")
    assert code(reply)[1] == -2035
    assert "rateLimits" not in reply
    assert api.call("userDataStream.unsubscribe", {}, signed=False)["result"] == {}
    assert api.until(lambda e: e["e"] == "eventStreamTerminated")
    assert api.call("userDataStream.subscribe.signature")["result"] == {"subscriptionId": 1}


def test_malformed_requests_do_not_end_the_connection(exchange):
    """Bytes that are no request get -1135 with a null id; the next request is answered."""
    api = exchange.api()
    for text in ("{", "[]", '{"id":1}', '"x"', '{"method":5}'):
        api.socket.send(text)
        reply = json.loads(api.socket.recv())
        assert (reply["id"], reply["status"], reply["error"]["code"]) == (None, 400, -1135)
    assert api.call("time", signed=False)["status"] == 200


def test_filled_orders_do_not_count_against_the_order_limit(exchange):
    """A taker's first fill takes its order out of the count; a resting order stays in it."""
    api = exchange.api()
    market = {"symbol": "ETHUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01000"}
    for side in ("BUY", "SELL"):
        reply = api.call("order.place", {**market, "side": side})
        assert reply["result"]["status"] == "FILLED"
    before = reply["rateLimits"][1]["count"]
    name = unique("count")
    reply = api.call("order.place", far_bid(api, name))
    assert reply["rateLimits"][1]["count"] == before + 1
    reply = api.call("order.place", market)
    assert reply["rateLimits"][1]["count"] == before + 1
    api.call("order.cancel", {"symbol": "BTCUSDT", "origClientOrderId": name})
