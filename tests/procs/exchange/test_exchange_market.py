"""The default market in market time: rates and bursts by the exchange's own count."""

import json
import time
from itertools import pairwise

from click.testing import CliRunner

from procs.exchange.__main__ import main
from procs.exchange.binance.words.parameters import read_order
from procs.exchange.core.exchange_config import ExchangeConfig
from procs.exchange.exchange import Exchange

STEP_NS = 1_000_000


class Listener:
    """A subscriber without a socket: keeps the payloads of its frames."""

    def __init__(self):
        self.pending, self.frames, self.can_write = [], [], True

    def flush(self):
        self.frames += self.pending[1::2]
        self.pending.clear()


def listen(exchange, names):
    listener = Listener()
    streams = exchange.dialects["binance"].streams
    streams.connections.add(listener)
    for name in names:
        streams.topic(name).wrapped.add(listener)
    return listener


def names(*kinds):
    return [f"{symbol}@{kind}" for symbol in ("btcusdt", "ethusdt") for kind in kinds]


def test_a_thousand_frames_a_second_with_bursts():
    """Sixty seconds of the default market: at least 1,000 frames a second, 500 in 10 ms."""
    exchange = Exchange(ExchangeConfig(), [("key", "secret")])
    exchange.open_simulated()
    listener = listen(exchange, names("depth@100ms", "bookTicker", "trade"))
    for step in range(1, 60_001):
        exchange.step(step * STEP_NS)
        if step % 1000 == 0:
            listener.frames.clear()
    report = exchange.report()
    assert report["market_frames_per_second"] >= 1000
    assert report["market_frames_per_10ms_max"] >= 500
    assert report["frames_sent"] == report["market_frames"]


def test_one_seed_gives_one_market():
    """Two exchanges of one seed send the same market, whenever they run."""

    def story(seed):
        exchange = Exchange(ExchangeConfig(seed=seed), [("key", "secret")])
        exchange.open_simulated()
        listener = listen(exchange, names("depth@100ms", "bookTicker", "trade"))
        for step in range(1, 1501):
            exchange.step(step * STEP_NS)
        frames = [json.loads(frame)["data"] for frame in listener.frames]
        timeless = [{k: v for k, v in frame.items() if k not in "ET"} for frame in frames]
        return timeless, exchange.report()["market_frames_per_second"]

    first, same, other = story(3), story(3), story(4)
    assert first == same
    assert first[0] != other[0]


def test_diffs_of_both_speeds_chain():
    """Diffs at 100 ms and at 1 s cover the same updates without a hole, and agree."""
    exchange = Exchange(ExchangeConfig(), [("key", "secret")])
    exchange.open_simulated()
    fast = listen(exchange, ["btcusdt@depth@100ms"])
    slow = listen(exchange, ["btcusdt@depth"])
    for step in range(1, 3001):
        exchange.step(step * STEP_NS)
    books = []
    for listener in (fast, slow):
        diffs = [json.loads(frame)["data"] for frame in listener.frames]
        assert all(b["U"] == a["u"] + 1 for a, b in pairwise(diffs))
        book = {}
        for diff in diffs:
            book.update({("b", p): q for p, q in diff["b"]} | {("a", p): q for p, q in diff["a"]})
        books.append((diffs[0]["U"], diffs[-1]["u"], book))
    assert len(fast.frames) == 30
    assert len(slow.frames) == 3
    assert books[0] == books[1]


def test_a_market_with_a_higher_speed_overtakes_the_wall_clock(start_exchange):
    """Which it follows otherwise, and is never ahead of."""
    started = time.monotonic()
    with start_exchange("--speed", "20") as client:

        def market_s():
            return client.control("GET", "status")[1]["market_ms"] / 1000

        while market_s() < time.monotonic() - started:
            assert time.monotonic() - started < 60
            time.sleep(0.05)


def test_the_simulated_market_has_no_greatest_speed():
    """As fast as sockets take it is what a recording can be played at."""
    keys = {"VORTEX_API_KEY": "key", "VORTEX_API_SECRET": "secret"}
    done = CliRunner(env=keys).invoke(main, ["--speed", "max"])
    assert done.exit_code == 1
    assert "give a factor" in done.output


def test_a_cancel_leaves_the_other_side_of_the_touch(still, inner_price):
    """The tickers of an order that comes and goes at the touch keep both best prices."""
    price = inner_price()
    listener = Listener()
    still.streams.connections.add(listener)
    still.streams.topic("btcusdt@bookTicker").wrapped.add(listener)
    desk = still.desks.of(1)
    for side, amend_qty_e8 in (("BUY", 0), ("SELL", 0), ("BUY", 100_000)):
        request = {"symbol": "BTCUSDT", "side": side, "type": "LIMIT_MAKER", "price": price}
        order = desk.place(read_order({**request, "quantity": "0.00200"}))
        if amend_qty_e8:
            desk.amend(order, amend_qty_e8, "")
        desk.cancel(order, "")
        still.streams.flush(STEP_NS)
        tickers = [json.loads(frame)["data"] for frame in listener.frames]
        assert len(tickers) >= 2
        assert all(float(ticker[name]) > 0 for ticker in tickers for name in "bBaA")
        assert all(float(ticker["b"]) < float(ticker["a"]) for ticker in tickers)
        listener.frames.clear()
