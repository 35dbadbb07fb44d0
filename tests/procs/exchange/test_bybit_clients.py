"""Clients made for the venue, pybit and ccxt, trade here with only their addresses changed."""

import asyncio
import queue

import ccxt
import ccxt.pro
import pybit._websocket_trading as pybit_trading
import pytest
from pybit import unified_trading
from pybit.exceptions import InvalidRequestError

SYMBOL = "BTC/USDT:USDT"


@pytest.fixture
def venue(bybit):
    bybit.flatten()
    yield bybit
    bybit.flatten()


@pytest.fixture
def session(venue):
    session = unified_trading.HTTP(api_key=venue.key, api_secret=venue.secret)
    session.endpoint = venue.urls["rest_url"]
    return session


@pytest.fixture
def open_socket(venue, monkeypatch):
    """Return the function that opens one of pybit's sockets on the exchange."""
    opened = []
    public = venue.urls["stream_url"].replace("linear", "{CHANNEL_TYPE}")
    monkeypatch.setattr(unified_trading, "PUBLIC_WSS", public)
    monkeypatch.setattr(unified_trading, "PRIVATE_WSS", venue.urls["private_url"])
    monkeypatch.setattr(pybit_trading, "TRADE_WSS", venue.urls["trade_url"])

    def start(kind, **options):
        keys = {"testnet": False, "api_key": venue.key, "api_secret": venue.secret}
        if kind == "trade":
            socket = unified_trading.WebSocketTrading(**keys, **options)
        else:
            socket = unified_trading.WebSocket(channel_type=kind, **keys, **options)
        opened.append(socket)
        return socket

    yield start
    for socket in opened:
        socket.exit()


def test_pybit_reads_the_market(session, open_socket):
    """Its own rules of snapshot and delta give an uncrossed book of fifty levels a side."""
    books, trades = queue.Queue(), queue.Queue()
    socket = open_socket("linear")
    socket.orderbook_stream(50, "BTCUSDT", books.put)
    socket.trade_stream("BTCUSDT", trades.put)
    for _ in range(30):
        data = books.get(timeout=20)["data"]
        assert float(data["b"][0][0]) < float(data["a"][0][0])
        assert len(data["b"]) == len(data["a"]) == 50
    assert trades.get(timeout=20)["data"][0]["s"] == "BTCUSDT"
    book = session.get_orderbook(category="linear", symbol="BTCUSDT", limit=5)["result"]
    assert len(book["b"]) == 5
    rows = session.get_instruments_info(category="linear", symbol="BTCUSDT")["result"]["list"]
    assert rows[0]["lotSizeFilter"]["qtyStep"] == "0.001"


def test_pybit_trades_over_its_sockets(session, open_socket):
    """Placed, amended, cancelled over the trade socket; each seen on the private one."""
    orders, answers, failures = queue.Queue(), queue.Queue(), queue.Queue()
    open_socket("private").order_stream(orders.put)
    trade = open_socket("trade")
    bid = float(session.get_orderbook(category="linear", symbol="BTCUSDT")["result"]["b"][0][0])
    name = {"category": "linear", "symbol": "BTCUSDT"}
    order = {"side": "Buy", "orderType": "Limit", "qty": "0.010", "timeInForce": "PostOnly"}
    trade.place_order(answers.put, **name, **order, price=f"{bid - 1000:.1f}")
    order_id = answers.get(timeout=20)["data"]["orderId"]
    assert orders.get(timeout=20)["data"][0]["orderStatus"] == "New"
    trade.amend_order(answers.put, **name, orderId=order_id, qty="0.005")
    assert answers.get(timeout=20)["retCode"] == 0
    assert orders.get(timeout=20)["data"][0]["qty"] == "0.005"
    trade.cancel_order(answers.put, **name, orderId=order_id)
    assert answers.get(timeout=20)["retCode"] == 0
    assert orders.get(timeout=20)["data"][0]["orderStatus"] == "Cancelled"
    trade.cancel_order(answers.put, failures.put, **name, orderId=order_id)
    assert failures.get(timeout=20)["retCode"] == 110001


def test_pybit_trades_over_http(session):
    """A position is opened and closed; executions, wallet and refusals are read."""
    name = {"category": "linear", "symbol": "BTCUSDT"}
    order = session.place_order(**name, side="Sell", orderType="Market", qty="0.020")["result"]
    position = session.get_positions(**name)["result"]["list"][0]
    assert (position["side"], position["size"]) == ("Sell", "0.020")
    rows = session.get_executions(**name, orderId=order["orderId"])["result"]["list"]
    assert sum(float(row["execQty"]) for row in rows) == pytest.approx(0.02)
    session.place_order(**name, side="Buy", orderType="Market", qty="0.020", reduceOnly=True)
    assert session.get_positions(**name)["result"]["list"][0]["size"] == "0"
    coins = session.get_wallet_balance(accountType="UNIFIED", coin="USDT")["result"]["list"][0]
    assert [coin["coin"] for coin in coins["coin"]] == ["USDT"]
    with pytest.raises(InvalidRequestError) as caught:
        session.cancel_order(**name, orderId="nothing")
    assert caught.value.status_code == 110001


def configured(venue):
    rest = dict.fromkeys(("spot", "futures", "v2", "public", "private"), venue.urls["rest_url"])
    public = {name: venue.ports[f"bybit_{name}"]["stream_url"] for name in ("spot", "linear")}
    private = venue.urls["private_url"]
    sockets = {
        "public": public,
        "private": {
            "spot": {"unified": private},
            "contract": private,
            "trade": venue.urls["trade_url"],
        },
    }
    options = {
        "fetchMarkets": {"types": ["spot", "linear"]},
        "loadAllOptions": False,
        "fetchCurrencies": False,
        "enableUnifiedAccount": True,
    }
    return {
        "apiKey": venue.key,
        "secret": venue.secret,
        "enableRateLimit": False,
        "options": options,
        "urls": {"api": {**rest, "ws": sockets}},
        "has": {"fetchCurrencies": False},
    }


@pytest.fixture
def trader(venue):
    trader = ccxt.bybit(configured(venue))
    yield trader
    trader.close()


def test_ccxt_finds_the_markets(trader):
    """Both kinds of BTCUSDT, each with its steps."""
    markets = trader.load_markets()
    linear, spot = markets[SYMBOL], markets["BTC/USDT"]
    assert (linear["swap"], linear["linear"], linear["settle"]) == (True, True, "USDT")
    assert (linear["precision"]["price"], linear["precision"]["amount"]) == (0.1, 0.001)
    assert (spot["spot"], spot["precision"]["amount"]) == (True, 0.000001)
    book = trader.fetch_order_book(SYMBOL, 20)
    assert book["bids"][0][0] < book["asks"][0][0]
    ticker = trader.fetch_ticker(SYMBOL)
    assert ticker["low"] <= ticker["last"] <= ticker["high"]


@pytest.mark.parametrize("symbol", [SYMBOL, "BTC/USDT"])
def test_ccxt_trades(trader, symbol):
    """An order rests, is edited, listed and cancelled; one at the market fills."""
    trader.load_markets()
    bid = trader.fetch_order_book(symbol, 5)["bids"][0][0]
    placed = trader.create_order(symbol, "limit", "buy", 0.002, round(bid * 0.97, 1))
    found = trader.fetch_open_order(placed["id"], symbol)
    assert (found["status"], found["filled"], found["amount"]) == ("open", 0.0, 0.002)
    trader.edit_order(placed["id"], symbol, "limit", "buy", 0.003, round(bid * 0.98, 1))
    assert [order["amount"] for order in trader.fetch_open_orders(symbol)] == [0.003]
    trader.cancel_order(placed["id"], symbol)
    with pytest.raises(ccxt.OrderNotFound):
        trader.cancel_order(placed["id"], symbol)
    before = trader.fetch_balance()["USDT"]["total"]
    bought = trader.create_order(symbol, "market", "buy", 0.004, bid)
    trades = [t for t in trader.fetch_my_trades(symbol) if t["order"] == bought["id"]]
    assert trades
    assert all(trade["takerOrMaker"] == "taker" for trade in trades)
    paid = before - trader.fetch_balance()["USDT"]["total"]
    if symbol == SYMBOL:
        (position,) = trader.fetch_positions([symbol])
        assert (position["side"], position["contracts"]) == ("long", 0.004)
        fees = sum(trade["fee"]["cost"] for trade in trades)
        assert paid == pytest.approx(fees, abs=1e-6)
    else:
        assert paid == pytest.approx(sum(trade["cost"] for trade in trades), abs=1e-6)


def test_ccxt_watches_the_book(venue):
    """ccxt.pro joins snapshot and deltas by its own rules, and its book stays uncrossed."""

    async def watch():
        watcher = ccxt.pro.bybit(configured(venue))
        try:
            await watcher.load_markets()
            stamps = []
            for _ in range(20):
                book = await asyncio.wait_for(watcher.watch_order_book(SYMBOL, 50), 60)
                assert book["bids"][0][0] < book["asks"][0][0]
                stamps.append(book["timestamp"])
            return stamps
        finally:
            await watcher.close()

    stamps = asyncio.run(watch())
    assert stamps == sorted(stamps)
    assert stamps[-1] > stamps[0]
