"""Several accounts: apart in everything but the market, and each kept from trading with itself."""

import base64
import secrets
import time
from decimal import Decimal

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from procs.exchange.binance.methods import trading

E8 = Decimal(10) ** 8


def limit(side, price, qty, client_id, mode="EXPIRE_MAKER"):
    order = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC", "price": price}
    names = {"newClientOrderId": client_id, "selfTradePreventionMode": mode}
    return {**order, "side": side, "quantity": qty, **names}


#: Mode -> what is left of a bid for 0.010 and its status, the same of an ask for 0.004.
OUTCOMES = {
    "NONE": ("0.006", "PARTIALLY_FILLED", "0", "FILLED"),
    "EXPIRE_TAKER": ("0.010", "NEW", "0", "EXPIRED_IN_MATCH"),
    "EXPIRE_MAKER": ("0", "EXPIRED_IN_MATCH", "0.004", "NEW"),
    "EXPIRE_BOTH": ("0", "EXPIRED_IN_MATCH", "0", "EXPIRED_IN_MATCH"),
    "DECREMENT": ("0.006", "NEW", "0", "EXPIRED_IN_MATCH"),
}


@pytest.mark.parametrize("mode", OUTCOMES)
def test_prevention_modes(still, inner_price, mode):
    """The taker's mode decides about both orders; the locked balance is that of the open rest."""
    desk, price = still.desks.of(1), inner_price()
    trading.place(desk, limit("BUY", price, "0.01000", "maker", "NONE"))
    trading.place(desk, limit("SELL", price, "0.00400", "taker", mode))
    orders = [desk.find("BTCUSDT", None, name) for name in ("maker", "taker")]
    left = [Decimal(order.left_lots) / 100_000 for order in orders]
    maker_left, maker_status, taker_left, taker_status = OUTCOMES[mode]
    assert [order.status for order in orders] == [maker_status, taker_status]
    assert left == [Decimal(maker_left), Decimal(taker_left)]
    assert desk.account.balance("USDT").locked_e8 == left[0] * Decimal(price) * E8
    assert desk.account.balance("BTC").locked_e8 == left[1] * E8
    lost = [e for e in desk.outbox if e.get("x") == "TRADE_PREVENTION"]
    assert len({event["v"] for event in lost}) == (mode != "NONE")
    for event in lost:
        mine, other = orders if event["c"] == "maker" else reversed(orders)
        assert (event["i"], event["U"]) == (mine.order_id, other.order_id)
        assert (event["pl"], event["pL"]) == ("0.00400000", f"{price}000000")
        assert Decimal(event["A"]) == Decimal(mine.prevented_lots) / 100_000
        assert event["X"] == mine.status


def test_prevention_of_several_makers(still, inner_price):
    """A taker that expires makers goes through all of its account's, and then rests."""
    desk, price = still.desks.of(1), inner_price()
    for number, qty in enumerate(("0.00120", "0.00130", "0.00810")):
        trading.place(desk, limit("BUY", price, qty, f"m{number}"))
    trading.place(desk, limit("SELL", price, "0.00300", "t"))
    assert [desk.find("BTCUSDT", None, f"m{n}").status for n in range(3)] == [
        "EXPIRED_IN_MATCH"
    ] * 3
    assert desk.find("BTCUSDT", None, "t").status == "NEW"


def test_accounts_trade_with_each_other(still, inner_price):
    """Whatever the mode, two accounts trade; money and coins only move, less the fees."""
    first, second = still.desks
    price = inner_price()

    def totals():
        held = {}
        for desk in still.desks:
            for asset, balance in desk.account.balances.items():
                fees_e8 = desk.account.fees_e8.get(asset, 0)
                amount_e8 = balance.free_e8 + balance.locked_e8 + fees_e8
                held[asset] = held.get(asset, 0) + amount_e8
        return held

    before = totals()
    trading.place(first, limit("BUY", price, "0.01000", "same"))
    trading.place(second, limit("SELL", price, "0.00400", "same", "EXPIRE_BOTH"))
    assert first.find("BTCUSDT", None, "same").filled_lots == 400
    assert second.find("BTCUSDT", None, "same").status == "FILLED"
    assert totals() == before
    assert (first.positions_lots["BTCUSDT"], second.positions_lots["BTCUSDT"]) == (400, -400)


@pytest.fixture
def two(start_exchange):
    """One exchange process, and a client of each of its two accounts."""
    key, secret = secrets.token_hex(32), secrets.token_hex(32)
    with start_exchange(more_keys=[(key, secret)]) as first:
        yield first, first.account(key, secret)


def test_accounts_cannot_see_or_touch_each_others_orders(two):
    """Neither finds, lists, cancels, amends or hears of the other's order; limits are apart."""
    owner, stranger = (client.api().subscribe() for client in two)
    book = owner.call("depth", {"symbol": "BTCUSDT", "limit": 5}, signed=False)["result"]
    price = f"{Decimal(book['bids'][0][0]) - 500:.2f}"
    placed = owner.call("order.place", limit("BUY", price, "0.00100", "mine"))
    order_id = placed["result"]["orderId"]
    assert placed["rateLimits"][1]["count"] == 1
    for identity in ({"orderId": order_id}, {"origClientOrderId": "mine"}):
        request = {"symbol": "BTCUSDT", **identity}
        assert stranger.call("order.status", request)["error"]["code"] == -2013
        assert stranger.call("order.cancel", request)["error"]["code"] == -2011
        amendment = {**request, "newQty": "0.00050"}
        assert stranger.call("order.amend.keepPriority", amendment)["error"]["code"] == -2038
    assert stranger.call("openOrders.status")["result"] == []
    assert stranger.call("openOrders.cancelAll", {"symbol": "BTCUSDT"})["status"] == 400
    assert stranger.call("allOrders", {"symbol": "BTCUSDT"})["result"] == []
    same_name = stranger.call("order.place", limit("BUY", price, "0.00100", "mine"))
    assert same_name["rateLimits"][1]["count"] == 1
    assert same_name["result"]["orderId"] != order_id
    assert owner.call("order.cancel", {"symbol": "BTCUSDT", "orderId": order_id})["status"] == 200
    assert owner.until_execution("CANCELED", "mine")["i"] == order_id
    stranger.until_execution("NEW", "mine")
    assert order_id not in [event.get("i") for event in stranger.events]
    mismatch = {
        "symbol": "BTCUSDT",
        "orderId": same_name["result"]["orderId"],
        "origClientOrderId": "another",
    }
    assert stranger.call("order.cancel", mismatch)["error"]["code"] == -2039


def test_one_connection_may_hear_of_both_accounts(two):
    """Subscriptions of two accounts have numbers of their own, and end one by one."""
    api = two[0].api().subscribe()
    api.client = two[1]
    assert api.call("userDataStream.subscribe.signature")["result"] == {"subscriptionId": 1}
    listed = api.call("session.subscriptions", signed=False)["result"]
    assert listed == [{"subscriptionId": 0}, {"subscriptionId": 1}]
    api.call("userDataStream.unsubscribe", {"subscriptionId": 0}, signed=False)
    api.until(lambda event: event["e"] == "eventStreamTerminated")
    assert api.call("session.subscriptions", signed=False)["result"] == [{"subscriptionId": 1}]


def test_session_logon_with_an_ed25519_key(start_exchange):
    """With such a key a session is opened once, and its requests are not signed; HMAC may not."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key = secrets.token_hex(32)

    def sign(payload):
        return base64.b64encode(private.sign(payload.encode())).decode()

    with start_exchange(more_keys=[(key, public.decode())]) as client:
        api = client.api()
        refused = api.call("session.logon")
        assert refused["error"]["msg"] == "HMAC_SHA256 API key is not supported."
        other = client.account(key, "")
        other.sign = sign
        api.client = other
        assert api.call("userDataStream.subscribe", signed=False)["status"] == 401
        assert api.call("session.logon")["result"]["apiKey"] == key
        now_ms = int(time.time() * 1000)
        account = api.call("account.status", {"timestamp": now_ms}, signed=False)
        assert account["result"]["uid"] == 2
        assert api.call("userDataStream.subscribe", signed=False)["result"] == {"subscriptionId": 0}
        forged = {**api.signed({}), "signature": sign("something else")}
        wrong = api.send({"method": "account.status", "params": forged})
        assert wrong["error"]["code"] == -1022
        assert api.call("session.logout", signed=False)["result"]["apiKey"] is None
        assert api.call("account.status", {"timestamp": now_ms}, signed=False)["status"] != 200
