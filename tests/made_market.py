"""Recordings of a market of our own: the files that a recorder would write, and what they hold.

A random market of price levels becomes the messages of Binance Spot and of Bybit.  The states of
the book that must be reached are computed beside it, by dictionaries.
"""

import gzip
import json
import random
import uuid
import zlib
from pathlib import Path
from typing import Any, NamedTuple

FIRST_MS = 1_700_000_000_000
STEP_MS = 100
#: Three levels far from the touch have a quantity finer than the lot: resting orders may be older.
FINE_E8 = 37


def text_of(value_e8: int, places: int = 8) -> str:
    """Return a value of 1e-8 with a fixed number of places."""
    whole, rest = divmod(value_e8, 10**8)
    return f"{whole}.{rest:08d}"[: len(str(whole)) + (1 + places if places else 0)]


def compact(message: Any) -> str:
    """Return JSON without spaces, as venues send it."""
    return json.dumps(message, separators=(",", ":"))


class Steps(NamedTuple):
    """The steps of a market: its tick and lot in 1e-8, and where it trades."""

    symbol: str
    tick_e8: int
    lot_e8: int
    mid_ticks: int


class MadeMarket:
    """Price levels that change at random, never crossed; quantities in 1e-8."""

    def __init__(self, steps: Steps, seed: int, level_count: int, depth_ticks: int) -> None:
        self.steps = steps
        self.random = random.Random(seed)
        self.depth_ticks = depth_ticks
        self.update_id = 0
        self.levels: dict[int, dict[int, int]] = {}
        for side in (1, -1):
            away = self.random.sample(range(1, 2 * depth_ticks), level_count)
            first = steps.mid_ticks - (side > 0)
            self.levels[side] = {first - side * ticks: self.quantity_e8() for ticks in (0, *away)}

    def quantity_e8(self) -> int:
        """Return a quantity."""
        return (1 + int(self.random.expovariate(1 / 40_000))) * self.steps.lot_e8

    def best(self, side: int) -> int:
        """Return the best price of a side, +1 for bids."""
        return side * max(side * ticks for ticks in self.levels[side])

    def touch(self) -> tuple[int, int, int, int]:
        """Return the best prices with their quantities: bid, its quantity, ask, its quantity."""
        bid, ask = self.best(1), self.best(-1)
        return bid, self.levels[1][bid], ask, self.levels[-1][ask]

    def put(self, side: int, ticks: int, quantity_e8: int) -> tuple[int, int, int]:
        """Set one level; return the change."""
        self.update_id += 1
        if quantity_e8 == 0:
            self.levels[side].pop(ticks, None)
        else:
            self.levels[side][ticks] = quantity_e8
        return side, ticks, quantity_e8

    def change(self) -> tuple[int, int, int]:
        """Change one level at random; return the change."""
        side = self.random.choice((1, -1))
        best, other = self.best(side), self.best(-side)
        if self.random.random() < 0.3 and side * (other - best) > 1:
            return self.put(side, best + side, self.quantity_e8())  # a new touch
        away = (
            int(self.random.expovariate(3 / self.depth_ticks)) if self.random.random() < 0.9 else 0
        )
        ticks = best - side * away
        is_gone = self.random.random() < 0.4 and len(self.levels[side]) > 2
        return self.put(side, ticks, 0 if is_gone else self.quantity_e8())

    def take(self) -> tuple[int, int, int, tuple[int, int, int]]:
        """Trade with the best level; return the taker's side, price, quantity and the change."""
        side = self.random.choice((1, -1))
        ticks = self.best(side)
        there = self.levels[side][ticks]
        lots = max(1, there // self.steps.lot_e8)
        taken = min(there, (1 + int(self.random.expovariate(3 / lots))) * self.steps.lot_e8)
        if len(self.levels[side]) < 3:
            taken = min(taken, there - 1)
        return -side, ticks, taken, self.put(side, ticks, there - taken)


class SpotRecording:
    """A market as Binance Spot tells it: diffs each 100 ms, tickers, trades, one snapshot."""

    SNAPSHOT_LEVELS = 1000
    CHECKPOINT_DIFFS = 100

    def __init__(self, step_count: int, seed: int) -> None:
        self.market = MadeMarket(Steps("BTCUSDT", 10**6, 10**3, 5_000_000), seed, 1200, 3000)
        self.random = self.market.random
        self.market.update_id = 40_000_000_000
        self.trade_id = 3_000_000_000
        self.lines: list[str] = []
        self.diffs: list[dict[str, Any]] = []
        self.snapshot: dict[str, Any] = {}
        self.changed: dict[int, dict[int, int]] = {1: {}, -1: {}}
        for index in range(3):
            self.market.levels[1][1_000_000 + 17 * index] = 10**8 + FINE_E8 + index
        self.told = self.market.touch()
        self.first_id = self.market.update_id + 1
        for step in range(step_count):
            self.step(step)

    def add(self, wall_ms: int, text: str) -> None:
        """Record a line shortly after its event."""
        stamp_ns = (wall_ms + 7) * 10**6 + len(self.lines) % 10**6
        self.lines.append(f"{stamp_ns} {text}")

    def send(self, wall_ms: int, stream: str, data: dict[str, Any]) -> None:
        """Record a frame of a combined stream."""
        self.add(wall_ms, compact({"stream": f"btcusdt@{stream}", "data": data}))

    def apply(self, wall_ms: int, change: tuple[int, int, int]) -> None:
        """Note a change for the next diff; tell the touch when it is another."""
        side, ticks, quantity_e8 = change
        self.changed[side][ticks] = quantity_e8
        touch = self.market.touch()
        if touch != self.told:
            self.told = touch
            bid, bid_e8, ask, ask_e8 = touch
            tick_e8 = self.market.steps.tick_e8
            data = {"u": self.market.update_id, "s": "BTCUSDT", "b": text_of(bid * tick_e8),
                    "B": text_of(bid_e8), "a": text_of(ask * tick_e8),
                    "A": text_of(ask_e8)}  # fmt: skip
            self.send(wall_ms, "bookTicker", data)

    def trade(self, wall_ms: int) -> None:
        """Trade once."""
        side, ticks, taken_e8, change = self.market.take()
        self.trade_id += 1
        data = {"e": "trade", "E": wall_ms, "s": "BTCUSDT", "t": self.trade_id,
                "p": text_of(ticks * self.market.steps.tick_e8), "q": text_of(taken_e8),
                "T": wall_ms - 1, "m": side < 0, "M": True}  # fmt: skip
        self.send(wall_ms, "trade", data)
        self.apply(wall_ms, change)

    def rows(self, side: int, levels: dict[int, int]) -> list[list[str]]:
        """Return levels as the venue writes them, the best first."""
        tick_e8 = self.market.steps.tick_e8
        ordered = sorted(levels, reverse=side > 0)
        return [[text_of(ticks * tick_e8), text_of(levels[ticks])] for ticks in ordered]

    def step(self, step: int) -> None:
        """Make the events of 100 ms, and then their diff."""
        wall_ms = FIRST_MS + step * STEP_MS
        events = sorted(self.random.randrange(STEP_MS) for _ in range(self.random.randint(1, 20)))
        for number, offset_ms in enumerate(events):
            if self.random.random() < 0.2:
                self.trade(wall_ms + offset_ms)
            else:
                self.apply(wall_ms + offset_ms, self.market.change())
            if step == 3 and number == 0:
                self.take_snapshot(wall_ms + offset_ms)
        data = {"e": "depthUpdate", "E": wall_ms + STEP_MS, "s": "BTCUSDT", "U": self.first_id,
                "u": self.market.update_id, "b": self.rows(1, self.changed[1]),
                "a": self.rows(-1, self.changed[-1])}  # fmt: skip
        self.send(wall_ms + STEP_MS, "depth@100ms", data)
        self.diffs.append(data)
        self.first_id = self.market.update_id + 1
        self.changed = {1: {}, -1: {}}

    def take_snapshot(self, wall_ms: int) -> None:
        """Record the answer of ``/api/v3/depth``."""
        sides = {name: self.rows(side, self.market.levels[side])[: self.SNAPSHOT_LEVELS]
                 for name, side in (("bids", 1), ("asks", -1))}  # fmt: skip
        self.snapshot = {"lastUpdateId": self.market.update_id, **sides}
        self.add(wall_ms, compact(self.snapshot))

    def checkpoints(self) -> dict[str, Any]:
        """Return the states to which snapshot and diffs lead, by dictionaries of text."""
        book = {"b": dict(self.snapshot["bids"]), "a": dict(self.snapshot["asks"])}
        points = []
        later = [each for each in self.diffs if each["u"] > self.snapshot["lastUpdateId"]]
        for number, data in enumerate(later, start=1):
            for name, levels in book.items():
                levels |= dict(data[name])
                for price in [price for price, qty in levels.items() if float(qty) == 0]:
                    del levels[price]
            if number in (1, len(later)) or number % self.CHECKPOINT_DIFFS == 0:
                points.append(self.point(number, data["u"], book))
        return {"snapshot_id": self.snapshot["lastUpdateId"], "applied": len(later), "gaps": 0,
                "checkpoints": points[:-1], "final": points[-1]}  # fmt: skip

    @staticmethod
    def point(number: int, update_id: int, book: dict[str, dict[str, str]]) -> dict[str, Any]:
        """Return one state: best levels, level counts, and the sum of the first twenty."""
        bids = sorted(book["b"].items(), key=lambda level: -float(level[0]))
        asks = sorted(book["a"].items(), key=lambda level: float(level[0]))
        text = "#".join("|".join(map(":".join, side[:20])) for side in (bids, asks))
        return {"n": number, "u": update_id, "bid": list(bids[0]), "ask": list(asks[0]),
                "nb": len(bids), "na": len(asks), "crc20": zlib.crc32(text.encode())}  # fmt: skip

    def save(self, path: Path) -> None:
        """Write the recording: lines of local time in ns and text."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress("".join(f"{line}\n" for line in self.lines).encode(), 1))


class Contract(NamedTuple):
    """A linear contract, and the places of its prices and quantities."""

    steps: Steps
    price_places: int
    qty_places: int


CONTRACTS = (
    Contract(Steps("BTCUSDT", 10**7, 10**5, 500_000), 2, 3),
    Contract(Steps("ETHUSDT", 10**6, 10**6, 250_000), 2, 2),
    Contract(Steps("SOLUSDT", 10**6, 10**7, 9_000), 3, 1),
    Contract(Steps("DOGEUSDT", 10**3, 10**8, 11_000), 5, 0),
)


class BybitRecording:
    """Four contracts as Bybit tells them: books of 200 levels, trades, tickers, klines."""

    LEVELS = 200

    def __init__(self, frame_count: int, seed: int) -> None:
        self.random = random.Random(seed)
        self.wall_ms = FIRST_MS
        self.sequence = 700_000_000_000
        self.texts: list[str] = []
        self.markets = [MadeMarket(each.steps, seed, 300, 250) for each in CONTRACTS]
        self.update_ids = [10_000_000 + 1000 * index for index in range(len(CONTRACTS))]
        self.shown: list[dict[int, dict[int, int]]] = [{} for _ in CONTRACTS]
        self.ticker: list[dict[str, str]] = [{} for _ in CONTRACTS]
        topics = ("tickers", "orderbook.200", "publicTrade", "kline.1")
        for _ in topics:
            self.send({"success": True, "ret_msg": "", "conn_id": "made-0", "req_id": "",
                       "op": "subscribe"})  # fmt: skip
        makers = (self.book, self.trades, self.tell_ticker, self.kline)
        for index in range(len(CONTRACTS)):
            for make in makers:
                make(index)
        for _ in range(frame_count):
            self.wall_ms += self.random.randint(1, 40)
            self.sequence += self.random.randint(1, 3000)
            self.random.choices(makers, (65, 10, 20, 5))[0](self.random.randrange(len(CONTRACTS)))

    def send(self, message: dict[str, Any]) -> None:
        """Record a message."""
        self.texts.append(compact(message))

    def price(self, index: int, ticks: int) -> str:
        """Return a price as the venue writes it."""
        contract = CONTRACTS[index]
        return text_of(ticks * contract.steps.tick_e8, contract.price_places)

    def qty(self, index: int, quantity_e8: int) -> str:
        """Return a quantity as the venue writes it."""
        return text_of(quantity_e8, CONTRACTS[index].qty_places) if quantity_e8 else "0"

    def best_levels(self, index: int) -> dict[int, dict[int, int]]:
        """Return the levels that the venue shows of each side."""
        levels = self.markets[index].levels
        return {
            side: {
                t: levels[side][t] for t in sorted(levels[side], reverse=side > 0)[: self.LEVELS]
            }
            for side in (1, -1)
        }

    def book(self, index: int) -> None:
        """Change a book and tell what is other than before; at first, all of it."""
        market, symbol = self.markets[index], CONTRACTS[index].steps.symbol
        for _ in range(self.random.randint(1, 12)):
            market.change()
        for side in (1, -1):  # as deep as what is shown, whatever was removed
            levels = market.levels[side]
            while len(levels) < self.LEVELS + 50:
                away = self.random.randrange(1, 2000)
                levels.setdefault(market.best(side) - side * away, market.quantity_e8())
        before, now = self.shown[index], self.best_levels(index)
        self.shown[index] = now
        self.update_ids[index] += 1
        rows = {}
        for name, side in (("b", 1), ("a", -1)):
            old, new = before.get(side, {}), now[side]
            changed = {
                t: new.get(t, 0) for t in old.keys() | new.keys() if old.get(t) != new.get(t)
            }
            rows[name] = [[self.price(index, t), self.qty(index, changed[t])]
                          for t in sorted(changed, reverse=side > 0)]  # fmt: skip
        data = {"s": symbol, **rows, "u": self.update_ids[index], "seq": self.sequence}
        self.send({"topic": f"orderbook.200.{symbol}", "type": "delta" if before else "snapshot",
                   "ts": self.wall_ms, "data": data, "cts": self.wall_ms - 2})  # fmt: skip

    def trades(self, index: int) -> None:
        """Trade a few times in one moment."""
        symbol, rows = CONTRACTS[index].steps.symbol, []
        for _ in range(self.random.randint(1, 4)):
            side, ticks, taken_e8, _ = self.markets[index].take()
            rows.append({
                "T": self.wall_ms - 1, "s": symbol, "S": "Buy" if side > 0 else "Sell",
                "v": self.qty(index, taken_e8), "p": self.price(index, ticks),
                "L": self.random.choice(("PlusTick", "ZeroMinusTick", "MinusTick")),
                "i": str(uuid.UUID(int=self.random.getrandbits(128), version=4)),
                "BT": False, "RPI": self.random.random() < 0.1,
                "seq": self.sequence,
            })  # fmt: skip
        self.send({"topic": f"publicTrade.{symbol}", "type": "snapshot", "ts": self.wall_ms,
                   "data": rows})  # fmt: skip

    def tell_ticker(self, index: int) -> None:
        """Tell the ticker: at first all of it, then what is other than before."""
        market, symbol, before = (
            self.markets[index],
            CONTRACTS[index].steps.symbol,
            self.ticker[index],
        )
        bid, bid_e8, ask, ask_e8 = market.touch()
        last, day = self.price(index, bid), self.price(index, CONTRACTS[index].steps.mid_ticks)
        now = {
            "tickDirection": "PlusTick", "price24hPcnt": "0.0021", "lastPrice": last,
            "prevPrice24h": day, "highPrice24h": day, "lowPrice24h": day, "prevPrice1h": day,
            "markPrice": last, "indexPrice": last, "openInterest": "1000",
            "openInterestValue": "50000000",
            "turnover24h": "123456.7", "volume24h": "89.5", "fundingIntervalHour": "8",
            "fundingCap": "0.005", "singleOpenInterest": "500",
            "singleOpenInterestValue": "25000000",
            "nextFundingTime": str(FIRST_MS + 8 * 3_600_000), "fundingRate": "0.0001",
            "bid1Price": last, "bid1Size": self.qty(index, bid_e8),
            "ask1Price": self.price(index, ask), "ask1Size": self.qty(index, ask_e8),
            "preOpenPrice": "", "preQty": "", "curPreListingPhase": "",
        }  # fmt: skip
        self.ticker[index] = now
        changed = {name: text for name, text in now.items() if before.get(name) != text}
        self.send({"topic": f"tickers.{symbol}", "type": "delta" if before else "snapshot",
                   "data": {"symbol": symbol, **changed}, "cs": self.sequence,
                   "ts": self.wall_ms})  # fmt: skip

    def kline(self, index: int) -> None:
        """Tell a candle, which nobody of ours subscribes to."""
        symbol, price = (
            CONTRACTS[index].steps.symbol,
            self.price(index, self.markets[index].best(1)),
        )
        row = {"start": FIRST_MS, "end": FIRST_MS + 59_999, "interval": "1", "open": price,
               "close": price, "high": price, "low": price, "volume": "1.5", "turnover": "7.25",
               "confirm": False, "timestamp": self.wall_ms}  # fmt: skip
        self.send({"topic": f"kline.1.{symbol}", "data": [row], "ts": self.wall_ms,
                   "type": "snapshot"})  # fmt: skip

    def save(self, path: Path) -> None:
        """Write the recording: a JSON object a line, each with one message that was received."""
        address = "wss://venue/v5/public/linear"
        connection = {"conn": "made.ws.1", "ts": FIRST_MS / 1000, "addr": address}
        rows = [{"t": "connect", **connection}]
        rows += [{"t": "recv", **connection, "data": text} for text in self.texts]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(compact(row) + "\n" for row in rows), "utf-8")
