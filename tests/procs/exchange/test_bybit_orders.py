"""Bybit's orders: the trade socket and the private topics, from the wire."""

import time
from decimal import Decimal
from types import SimpleNamespace
from uuid import UUID

import pytest
from bybit_client import BybitClient, bybit_config, limit_order, market_order, now_ms, request

from procs.exchange.bybit.texts import budgets
from procs.exchange.bybit.texts.bybit_refusals import BybitRefusal
from procs.exchange.core.exchange_config import BybitConfig, ExchangeConfig, SymbolConfig
from procs.exchange.exchange import Exchange

TOPICS = ("order", "execution", "execution.fast", "position", "wallet")


@pytest.fixture
def venue(bybit):
    """An exchange without faults, orders or a position, before and after."""
    bybit.flatten()
    yield bybit
    assert bybit.control("DELETE", "faults") == (200, {})
    bybit.flatten()
    bybit.close()


def arm(venue, fault, **settings):
    status, body = venue.control("POST", "faults", {"fault": fault, **settings})
    assert status == 200, body


def place(trade, order):
    answer = trade.ask(**request("create", order))
    assert (answer["retCode"], answer["retMsg"], answer["op"]) == (0, "OK", "order.create")
    assert answer["data"]["orderLinkId"] == order["orderLinkId"]
    return answer["data"]["orderId"]


def row_of(private, order, status):
    return private.until_row(
        "order",
        lambda row: (row["orderLinkId"], row["orderStatus"]) == (order["orderLinkId"], status),
    )


def far(venue, category="linear"):
    return f"{venue.touch(category)[0] - 1500:.1f}"


def test_logging_on(venue):
    """A wrong signature, an unknown key, a time that is over; then twice; orders not before."""
    trade = venue.connect(venue.urls["trade_url"])
    before = trade.ask(**request("create", limit_order(far(venue))))
    assert before["retCode"] == 10005
    assert trade.log_on(secret="wrong")["retCode"] == 10004
    assert trade.log_on(key="nobody")["retCode"] == 10003
    assert trade.log_on(ahead_ms=-1)["retCode"] == 10002
    assert trade.ask(op="auth", args=["x"])["retCode"] == 10001
    good = trade.log_on()
    assert {k: good[k] for k in ("retCode", "retMsg", "op")} == {
        "retCode": 0,
        "retMsg": "OK",
        "op": "auth",
    }
    assert trade.log_on()["retCode"] == 20001
    pong = trade.ask(op="ping")
    assert (pong["op"], pong["retCode"]) == ("pong", 0)
    private = venue.connect(venue.urls["private_url"])
    refused = private.ask(op="subscribe", args=["order"])
    assert (refused["success"], refused["op"]) == (False, "subscribe")
    wrong = private.log_on(secret="wrong")
    assert (wrong["success"], wrong["op"]) == (False, "auth")
    assert private.log_on()["success"]
    assert private.ask(op="subscribe", args=["order", "order.spot"])["success"] is False
    assert private.ask(op="subscribe", args=["nothing"])["success"] is False
    assert private.ask(op="ping", req_id="9")["args"][0].isdecimal()


@pytest.mark.parametrize(("category", "read_id"), [("linear", UUID), ("spot", int)])
def test_an_order_lives_and_is_cancelled(venue, category, read_id):
    """New, amended in quantity and price, cancelled; ids are those of the category."""
    trade, private = venue.trade(), venue.private(*TOPICS)
    order = limit_order(far(venue, category), category=category, timeInForce="PostOnly")
    order_id = place(trade, order)
    read_id(order_id)
    row = row_of(private, order, "New")
    assert (row["orderId"], row["category"], row["timeInForce"]) == (order_id, category, "PostOnly")
    assert row["rejectReason"] == "EC_NoError"
    assert Decimal(row["qty"]) == Decimal("0.010")
    link = {k: order[k] for k in ("category", "symbol", "orderLinkId")}
    price = f"{Decimal(order['price']) - 10:.1f}"
    for change in ({"qty": "0.008"}, {"price": price}, {"qty": "0.012"}):
        answer = trade.ask(**request("amend", {**link, **change}))
        assert (answer["retCode"], answer["data"]["orderId"]) == (0, order_id)
        ((name, text),) = change.items()
        row = private.until_row("order", lambda r, n=name, t=text: Decimal(r[n]) == Decimal(t))
        assert (row["orderStatus"], row["orderId"]) == ("New", order_id)
    answer = trade.ask(**request("amend", {**link, "qty": "0.012"}))
    assert answer["retCode"] == 10001
    answer = trade.ask(**request("cancel", link))
    assert (answer["retCode"], answer["data"]["orderId"]) == (0, order_id)
    row = row_of(private, order, "Cancelled")
    assert (row["cancelType"], row["rejectReason"]) == ("CancelByUser", "EC_PerCancelRequest")
    gone = 110001 if category == "linear" else 170213
    for operation in ("cancel", "amend"):
        refused = trade.ask(**request(operation, {**link, "qty": "0.005"}))
        assert (refused["retCode"], refused["data"]) == (gone, {})
    again = trade.ask(**request("create", order))
    assert again["retCode"] == (110072 if category == "linear" else 170141)


def test_an_acknowledgement_means_accepted_only(venue):
    """A post-only order that would take is accepted, and then cancelled on the private topic."""
    trade, private = venue.trade(), venue.private(*TOPICS)
    for category in ("linear", "spot"):
        ask = venue.touch(category)[1] + 50
        order = limit_order(f"{ask:.1f}", category=category, timeInForce="PostOnly")
        place(trade, order)
        row = row_of(private, order, "Cancelled")
        assert row["rejectReason"] == "EC_PostOnlyWillTakeLiquidity"
        assert Decimal(row["cumExecQty"]) == 0


def test_orders_that_cannot_rest(venue):
    """IOC far away finds nothing; FOK larger than the book cannot fill."""
    trade, private = venue.trade(), venue.private(*TOPICS)
    order = limit_order(far(venue), timeInForce="IOC")
    place(trade, order)
    assert row_of(private, order, "Cancelled")["rejectReason"] == "EC_NoImmediateQtyToFill"
    ask = venue.touch()[1]
    order = limit_order(f"{ask:.1f}", timeInForce="FOK", qty="800.000")
    place(trade, order)
    row = row_of(private, order, "Cancelled")
    assert (row["rejectReason"], row["cumExecQty"]) == ("EC_CancelForNoFullFill", "0")


def test_a_taking_order_fills_and_moves_the_position(venue):
    """Executions, fast and full, carry one id; fee, average price and position follow from them."""
    trade, private = venue.trade(), venue.private(*TOPICS)
    order = market_order(qty="0.500")
    place(trade, order)
    messages = private.drain(0.5)
    rows = {
        topic: [r for m in messages if m["topic"] == topic for r in m["data"]] for topic in TOPICS
    }
    executions = [r for r in rows["execution"] if r["orderLinkId"] == order["orderLinkId"]]
    assert sum(Decimal(r["execQty"]) for r in executions) == Decimal("0.500")
    assert [r["execId"] for r in executions] == [r["execId"] for r in rows["execution.fast"]]
    assert {r["orderLinkId"] for r in rows["execution.fast"]} == {order["orderLinkId"]}
    for row in executions:
        value = Decimal(row["execPrice"]) * Decimal(row["execQty"])
        assert Decimal(row["execValue"]) == value
        assert abs(Decimal(row["execFee"]) - value * Decimal("0.00055")) < Decimal("0.00000002")
        assert (row["execType"], row["isMaker"], row["feeCurrency"]) == ("Trade", False, "USDT")
    assert [Decimal(r["leavesQty"]) for r in executions][-1] == 0
    statuses = [r["orderStatus"] for r in rows["order"]]
    assert statuses == ["PartiallyFilled"] * (len(executions) - 1) + ["Filled"]
    value = sum(Decimal(r["execValue"]) for r in executions)
    assert Decimal(rows["order"][-1]["cumExecValue"]) == value
    position = rows["position"][-1]
    assert (position["side"], Decimal(position["size"])) == ("Buy", Decimal("0.5"))
    assert abs(Decimal(position["entryPrice"]) - value / Decimal("0.5")) < Decimal("0.00000001")
    coins = [coin for row in rows["wallet"] for coin in row["coin"]]
    assert {coin["coin"] for coin in coins} == {"USDT"}
    query = {"category": "linear", "symbol": "BTCUSDT", "orderId": rows["order"][-1]["orderId"]}
    listed = venue.get("/v5/execution/list", query)["list"]
    assert [r["execId"] for r in reversed(listed)] == [r["execId"] for r in executions]


def test_profit_is_realised_in_the_asset_of_settlement(venue):
    """Long, short through zero, flat: the wallet moves by profit less fees, base never moves."""

    def wallet():
        row = venue.get("/v5/account/wallet-balance", {"accountType": "UNIFIED"})["list"][0]
        return {coin["coin"]: Decimal(coin["walletBalance"]) for coin in row["coin"]}

    trade, private = venue.trade(), venue.private("execution")
    before, executions = wallet(), []
    for side, qty in (("Buy", "0.300"), ("Sell", "0.500"), ("Buy", "0.200")):
        order = market_order(side=side, qty=qty)
        place(trade, order)
        left = Decimal(qty)
        while left:
            rows = private.until(lambda m: m["topic"] == "execution")["data"]
            left -= sum(Decimal(row["execQty"]) for row in rows)
            executions += rows
    position = venue.position()
    assert (position["side"], position["size"], position["entryPrice"]) == ("", "0", "0")
    cash = sum(Decimal(r["execValue"]) * (1 if r["side"] == "Sell" else -1) for r in executions)
    fees = sum(Decimal(r["execFee"]) for r in executions)
    after = wallet()
    assert after["USDT"] - before["USDT"] == cash - fees
    assert after["BTC"] == before["BTC"]
    assert sum(Decimal(r["execPnl"]) for r in executions) == cash
    closed = sum(Decimal(r["closedSize"]) for r in executions)
    assert closed == Decimal("0.500")


def test_a_maker_is_filled_and_its_fast_execution_has_no_client_id(venue):
    """A quote at the touch fills in time; the full execution brings fee and client id."""
    trade, private = venue.trade(), venue.private("execution", "execution.fast", "order")
    filled = None
    for _ in range(200):
        bid, ask = venue.touch()
        order = limit_order(f"{(ask - Decimal('0.1')):.1f}", timeInForce="PostOnly", qty="0.001")
        order_id = place(trade, order)
        messages = private.drain(0.2)
        fast = [
            r
            for m in messages
            if m["topic"] == "execution.fast"
            for r in m["data"]
            if r["orderId"] == order_id
        ]
        if fast:
            filled = fast[0]
            full = [
                r
                for m in messages
                if m["topic"] == "execution"
                for r in m["data"]
                if r["execId"] == filled["execId"]
            ]
            break
        trade.ask(**request("cancel", {k: order[k] for k in ("category", "symbol", "orderLinkId")}))
    assert filled is not None
    assert (filled["isMaker"], filled["orderLinkId"]) == (True, "")
    assert [r["orderLinkId"] for r in full] == [order["orderLinkId"]]
    assert full[0]["feeRate"] == "0.0002"


def test_reduce_only(venue):
    """Nothing to reduce is refused; what is too large is cut; what is left over goes away."""
    trade, private = venue.trade(), venue.private(*TOPICS)
    sell = {"side": "Sell", "reduceOnly": True}
    assert trade.ask(**request("create", market_order(**sell)))["retCode"] == 110017
    place(trade, market_order(qty="0.050"))
    resting = limit_order(f"{venue.touch()[1] + 1500:.1f}", qty="0.040", **sell)
    place(trade, resting)
    assert row_of(private, resting, "New")["reduceOnly"] is True
    place(trade, market_order(qty="0.030", side="Sell"))
    row = private.until_row(
        "order", lambda r: r["orderLinkId"] == resting["orderLinkId"] and r["qty"] == "0.020"
    )
    assert row["orderStatus"] == "New"
    place(trade, market_order(qty="0.090", side="Sell"))
    row = row_of(private, resting, "Cancelled")
    assert row["cancelType"] == "CancelByReduceOnly"
    position = venue.position()
    assert (position["side"], position["size"]) == ("Sell", "0.070")


@pytest.mark.parametrize(
    ("changes", "linear", "spot"),
    [
        ({"price": "60000.05"}, 110003, 170134),
        ({"price": "120000.0"}, 30208, 170193),
        ({"side": "Sell", "price": "100.0"}, 30209, 170194),
        ({"qty": "0.0000005"}, 10001, 170137),
        ({"qty": "9999"}, 10001, 170136),
        ({"qty": "0.00001", "price": "59000.0"}, 10001, 170140),
        ({"symbol": "NOPE"}, 10001, 10001),
        ({"category": "option"}, 10001, 10001),
        ({"orderLinkId": "a b"}, 10001, 10001),
        ({"positionIdx": 1}, 10001, 10001),
        ({"timeInForce": "DAY"}, 10001, 10001),
        ({"qty": 0.01}, 10001, 10001),
    ],
)
def test_refusals_have_the_codes_of_their_category(venue, changes, linear, spot):
    trade = venue.trade()
    for category, code in (("linear", linear), ("spot", spot)):
        order = {**limit_order("59000.0"), "category": category, **changes}
        answer = trade.ask(**request("create", order))
        assert (answer["retCode"], answer["data"]) == (code, {}), answer
        assert "X-Bapi-Limit" in answer["header"] or changes.get("category")


def test_funds(venue):
    """More than the leverage allows, and more than the balance of a coin."""
    trade = venue.trade()
    order = limit_order(far(venue), qty="8000.000")
    assert trade.ask(**request("create", order))["retCode"] == 110007
    ask = f"{venue.touch('spot')[1] + 500:.1f}"
    order = limit_order(ask, category="spot", side="Sell", qty="500")
    assert trade.ask(**request("create", order))["retCode"] == 170131


def test_envelopes(venue):
    """A repeated request id, an old stamp, an unknown operation, more than one order."""
    trade = venue.trade()
    order = limit_order(far(venue))
    once = request("create", order)
    assert trade.ask(**once)["retCode"] == 0
    assert trade.ask(**once)["retCode"] == 20006
    old = request("create", order)
    old["header"]["X-BAPI-TIMESTAMP"] = str(now_ms() - 9000)
    assert trade.ask(**old)["retCode"] == 10002
    old["header"]["X-BAPI-TIMESTAMP"] = str(now_ms() + 5000)
    assert trade.ask(**{**old, "reqId": "later"})["retCode"] == 10002
    assert trade.ask(**request("explode", order))["retCode"] == 10404
    assert trade.ask(**{**request("create", order), "args": [order, order]})["retCode"] == 10001
    assert trade.ask(**{**request("create", order), "header": None})["retCode"] == 10001
    trade.socket.send("{not json")
    assert trade.receive()["retCode"] == 10001


def still(config):
    """Return a venue of one account and no time, with rules of its own."""
    row = SymbolConfig(
        *("BTCUSDT", "BTC", "USDT", "60000.00"),
        dialect="bybit_linear",
        tick_size="0.10",
        lot_size="0.001",
    )
    exchange = Exchange(ExchangeConfig(symbols=(row,), bybit=config), [("key", "secret")])
    exchange.open_simulated()
    return exchange.dialects["bybit"]


def test_a_cancel_that_races_with_the_fill():
    """It is accepted, and the order is said to be filled twice, once with what became of it."""
    venue = still(BybitConfig(cancel_race_ms=600_000))
    desk, order = venue.desks.of(1), market_order()
    venue.operations.call(1, "create", order)
    link = {k: order[k] for k in ("category", "symbol", "orderLinkId")}
    assert venue.operations.call(1, "cancel", link).result["orderLinkId"] == order["orderLinkId"]
    filled = [item.row for item in desk.take_news() if item.topic == "order"][-2:]
    assert [row["orderStatus"] for row in filled] == ["Filled", "Filled"]
    assert [(row["cancelType"], row["rejectReason"]) for row in filled] == [
        ("UNKNOWN", "EC_NoError"),
        ("CancelByUser", "EC_OrigClOrdIDDoesNotExist"),
    ]
    with pytest.raises(BybitRefusal, match="110001"):
        venue.operations.call(1, "cancel", link)


def test_batches_fail_in_part(venue):
    """Results are beside the list; the good half rests."""
    trade = venue.trade()
    good, bad = limit_order(far(venue)), limit_order("1.05")
    strip = [{k: v for k, v in order.items() if k != "category"} for order in (good, bad)]
    body = {"category": "linear", "request": strip}
    answer = trade.ask(**request("create-batch", body))
    assert (answer["retCode"], answer["op"]) == (0, "order.create-batch")
    rows, results = answer["data"]["list"], answer["retExtInfo"]["list"]
    assert [result["code"] for result in results] == [0, 110003]
    assert [bool(row["orderId"]) for row in rows] == [True, False]
    cancel = {"symbol": "BTCUSDT", "orderLinkId": good["orderLinkId"]}
    answer = trade.ask(**request("cancel-batch", {"category": "linear", "request": [cancel] * 2}))
    assert [r["code"] for r in answer["retExtInfo"]["list"]] == [0, 110001]


def test_self_trades_are_prevented_when_the_taker_asks_for_it(venue):
    """CancelMaker takes the resting order away; without it the account trades with itself."""
    trade, private = venue.trade(), venue.private("order", "execution")
    for smp_type in ("CancelMaker", "None"):
        bid, ask = venue.touch()
        quote = limit_order(f"{bid + 300:.1f}", side="Buy", qty="0.001")
        sell = limit_order(f"{ask - Decimal('0.1'):.1f}", side="Sell", qty="0.001")
        place(trade, sell)
        taker = {**quote, "smpType": smp_type, "qty": "0.002"}
        place(trade, taker)
        row = private.until_row(
            "order",
            lambda r, s=sell: (
                r["orderLinkId"] == s["orderLinkId"] and r["orderStatus"] in ("Filled", "Cancelled")
            ),
        )
        if row["orderStatus"] == "Cancelled":
            assert (row["cancelType"], row["rejectReason"]) == ("CancelBySmp", "EC_BySelfMatch")
            assert smp_type == "CancelMaker"
        venue.flatten()


def test_budgets_are_those_of_a_rolling_second(monkeypatch):
    """The eleventh order in a second is refused; each kind of request has its own budget."""
    clock = SimpleNamespace(now_ns=10**12)
    monkeypatch.setattr(budgets, "time", SimpleNamespace(monotonic_ns=lambda: clock.now_ns))
    venue = still(BybitConfig())
    desk = venue.desks.of(1)
    left_counts, order_ids = [], []
    for _ in range(10):
        answer = venue.operations.call(1, "create", limit_order("59000.0"))
        order_ids.append(answer.result["orderId"])
        left_counts.append(int(desk.budgets.headers("linear", "create")["X-Bapi-Limit-Status"]))
        clock.now_ns += 50_000_000
    assert left_counts == list(range(9, -1, -1))
    link = {"category": "linear", "symbol": "BTCUSDT", "orderId": order_ids[0]}
    for _ in range(2):
        with pytest.raises(BybitRefusal, match="10006"):
            venue.operations.call(1, "create", limit_order("59000.0"))
    headers = desk.budgets.headers("linear", "create")
    wait_ms = int(headers["X-Bapi-Limit-Reset-Timestamp"]) - now_ms()
    assert (headers["X-Bapi-Limit"], headers["X-Bapi-Limit-Status"]) == ("10", "0")
    assert wait_ms <= 500
    assert venue.operations.call(1, "cancel", link)
    clock.now_ns += 500_000_000
    venue.operations.call(1, "create", limit_order("59000.0"))
    with pytest.raises(BybitRefusal, match="10006"):
        venue.operations.call(1, "create", limit_order("59000.0"))


def test_acknowledgements_and_events_come_in_either_order(venue):
    """Seen from one account, each comes first now and then."""
    trade, private = venue.trade(), venue.private("order")
    firsts = set()
    for _ in range(60):
        order = limit_order(far(venue))
        trade.send(**request("create", order))
        stamps = {}
        while len(stamps) < 2:
            for name, socket in (("ack", trade), ("event", private)):
                if name in stamps:
                    continue
                socket.socket.settimeout(0.001)
                try:
                    socket.receive()
                    stamps[name] = len(stamps)
                except Exception:
                    continue
        firsts.add(min(stamps, key=stamps.get))
        if len(firsts) == 2:
            break
    assert firsts == {"ack", "event"}


def test_replies_and_reports_suffer_faults(venue):
    """A lost acknowledgement leaves the order; a doubled report comes twice; outcomes unknown."""
    trade, private = venue.trade(), venue.private("order")
    order = limit_order(far(venue))
    arm(venue, "lose", lane="replies", count=1)
    arm(venue, "duplicate", lane="reports", count=1)
    trade.send(**request("create", order))
    assert trade.drain(0.3) == []
    rows = [r["orderStatus"] for m in private.drain(0.3) for r in m["data"]]
    assert rows == ["New", "New"]
    arm(venue, "time_out", count=1)
    order = limit_order(far(venue))
    assert trade.ask(**request("create", order))["retCode"] == 10016
    query = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": order["orderLinkId"]}
    assert venue.get("/v5/order/realtime", query)["list"][0]["orderStatus"] == "New"
    arm(venue, "refuse", count=1, via="ws-api")
    assert trade.ask(**request("create", limit_order(far(venue))))["retCode"] == 10006
    arm(venue, "revoke", seconds=20)
    assert trade.ask(**request("create", limit_order("59000.0")))["retCode"] == 10003
    venue.control("DELETE", "faults")
    arm(venue, "halt", symbol="BTCUSDT", status="CANCEL_ONLY", seconds=20)
    assert trade.ask(**request("create", limit_order("59000.0")))["retCode"] == 110074
    link = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": order["orderLinkId"]}
    assert trade.ask(**request("cancel", link))["retCode"] == 0


def test_a_trade_service_that_restarts_takes_nothing_new(venue):
    """Requests are refused with 10019, and the connection closes; another one works at once."""
    trade = venue.trade()
    arm(venue, "shutdown", kind="orders", seconds=0.5)
    assert trade.ask(**request("create", limit_order(far(venue))))["retCode"] == 10019
    place(venue.trade(), limit_order(far(venue)))
    assert trade.socket.recv() == ""


def test_connections_break_in_silence(start_exchange):
    """A client that says nothing is disconnected; one that pings is not."""
    config = bybit_config(budgets="[bybit]\nidle_s = 0.6\nprivate_idle_s = 0.6\n")
    with start_exchange(config=config) as process:
        venue = BybitClient(process.ports, process.key, process.secret)
        quiet, lively = venue.public(), venue.public()
        for _ in range(8):
            assert lively.ask(op="ping")["ret_msg"] == "pong"
            time.sleep(0.2)
        assert quiet.socket.recv() == ""
        venue.close()


def test_orders_are_cancelled_when_all_connections_are_gone(venue):
    """After the window, and by the reason that DCP has."""
    body = {"product": "DERIVATIVES", "timeWindow": 3}
    assert venue.http("POST", "/v5/order/disconnected-cancel-all", body)[2]["retCode"] == 0
    watch, holder = venue.private("order"), venue.private("dcp.future")
    order = limit_order(far(venue))
    place(venue.trade(), order)
    holder.socket.close()
    row = row_of(watch, order, "Cancelled")
    assert row["cancelType"] == "CancelByDCP"
