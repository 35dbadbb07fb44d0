"""A client of many venues, ccxt, trades here with only its addresses and options changed."""

import asyncio

import ccxt
import ccxt.pro
import pytest

SYMBOL = "BTC/USDT"
OPTIONS = {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False, "fetchMargins": False}


def addresses(client):
    rest = f"http://127.0.0.1:{client.rest_port}/api/v3"
    sockets = {
        "spot": f"ws://127.0.0.1:{client.ws_port}/ws",
        "ws-api": {"spot": f"ws://127.0.0.1:{client.ws_port}/ws-api/v3"},
    }
    return {"public": rest, "private": rest, "ws": sockets}


def configured(client, **changes):
    """Return what both kinds of ccxt's client are made with."""
    settings = {"apiKey": client.key, "secret": client.secret, "enableRateLimit": False}
    return {**settings, "options": dict(OPTIONS), "urls": {"api": addresses(client)}, **changes}


@pytest.fixture
def trader(exchange):
    trader = ccxt.binance(configured(exchange))
    yield trader
    trader.cancel_all_orders(SYMBOL) if trader.fetch_open_orders(SYMBOL) else None
    trader.close()


def far_price(trader, share):
    return trader.price_to_precision(SYMBOL, trader.fetch_ticker(SYMBOL)["last"] * share)


def test_markets_book_and_trades(trader):
    """It finds the symbols with their steps, reads an uncrossed book, the trades and the touch."""
    market = trader.load_markets()[SYMBOL]
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.01, 0.00001)
    assert (market["spot"], market["active"], market["limits"]["cost"]["min"]) == (True, True, 5.0)
    book = trader.fetch_order_book(SYMBOL, 20)
    assert len(book["bids"]) == len(book["asks"]) == 20
    assert book["bids"][0][0] < book["asks"][0][0]
    for method in ("publicGetAggTrades", "publicGetTrades"):
        trades = trader.fetch_trades(SYMBOL, params={"fetchTradesMethod": method})
        assert trades, method
        assert all(trade["side"] in ("buy", "sell") for trade in trades)
    ticker = trader.fetch_ticker(SYMBOL)
    assert ticker["low"] <= ticker["last"] <= ticker["high"]
    assert abs(trader.fetch_time() - trader.milliseconds()) < 60_000


def test_a_resting_order_is_amended_edited_and_cancelled(trader):
    """Placed, lowered in its place, replaced by an edit, found, listed, cancelled."""
    trader.load_markets()
    placed = trader.create_order(SYMBOL, "limit", "buy", 0.002, far_price(trader, 0.9))
    assert (placed["status"], placed["filled"], placed["amount"]) == ("open", 0.0, 0.002)
    lowered = trader.request(
        "order/amend/keepPriority",
        ["private"],
        "PUT",
        {"symbol": "BTCUSDT", "orderId": placed["id"], "newQty": "0.00150"},
    )
    assert lowered["amendedOrder"]["qty"] == "0.00150000"
    assert trader.fetch_order(placed["id"], SYMBOL)["amount"] == 0.0015
    price = far_price(trader, 0.91)
    edited = trader.edit_order(placed["id"], SYMBOL, "limit", "buy", 0.001, price)
    assert (edited["status"], edited["amount"], edited["price"]) == ("open", 0.001, float(price))
    assert trader.fetch_order(placed["id"], SYMBOL)["status"] == "canceled"
    assert [order["id"] for order in trader.fetch_open_orders(SYMBOL)] == [edited["id"]]
    used = trader.fetch_balance()["USDT"]["used"]
    assert used >= 0.001 * float(price) - 1e-9
    assert trader.cancel_order(edited["id"], SYMBOL)["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound):
        trader.cancel_order(edited["id"], SYMBOL)
    known = {order["id"]: order["status"] for order in trader.fetch_orders(SYMBOL)}
    assert (known[placed["id"]], known[edited["id"]]) == ("canceled", "canceled")


def test_an_order_at_the_market_fills(trader):
    """It buys by quantity and by cost, finds its trades, and its balance moved by them."""
    trader.load_markets()
    before = trader.fetch_balance()["BTC"]["total"]
    bought = trader.create_order(SYMBOL, "market", "buy", 0.003)
    assert (bought["status"], bought["filled"]) == ("closed", 0.003)
    costly = trader.create_market_buy_order_with_cost(SYMBOL, 200)
    assert costly["status"] == "closed"
    assert 150 < costly["cost"] <= 200
    trades = [
        t for t in trader.fetch_my_trades(SYMBOL) if t["order"] in (bought["id"], costly["id"])
    ]
    amount = sum(trade["amount"] - trade["fee"]["cost"] for trade in trades)
    assert trader.fetch_balance()["BTC"]["total"] - before == pytest.approx(amount, abs=1e-9)
    assert {trade["takerOrMaker"] for trade in trades} == {"taker"}


def test_refusals_become_ccxts_errors(exchange, trader):
    """A wrong secret, too large an order, a post-only that would take: each has its own error."""
    trader.load_markets()
    with pytest.raises(ccxt.InsufficientFunds):
        trader.create_order(SYMBOL, "limit", "sell", 120, far_price(trader, 1.1))
    taking, post_only = far_price(trader, 1.1), {"postOnly": True}
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        trader.create_order(SYMBOL, "limit", "buy", 0.001, taking, post_only)
    stranger = ccxt.binance(configured(exchange, secret="wrong"))
    stranger.set_markets(trader.markets)
    with pytest.raises(ccxt.AuthenticationError):
        stranger.fetch_balance()
    stranger.close()


def test_the_book_is_watched(exchange):
    """ccxt.pro joins snapshot and diffs by its own rules, and its book stays uncrossed."""

    async def watch():
        watcher = ccxt.pro.binance(configured(exchange))
        try:
            await watcher.load_markets()
            nonces = []
            for _ in range(15):
                book = await asyncio.wait_for(watcher.watch_order_book(SYMBOL), 60)
                assert book["bids"][0][0] < book["asks"][0][0]
                nonces.append(book["nonce"])
            return nonces
        finally:
            await watcher.close()

    nonces = asyncio.run(watch())
    assert nonces == sorted(nonces)
    assert nonces[-1] > nonces[0]
