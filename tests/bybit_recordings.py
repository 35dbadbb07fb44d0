"""Recordings in the form in which Bybit's are kept, made by us: one object of JSON a line."""

import gzip
import json
from pathlib import Path
from typing import Any
from uuid import UUID

STEPS = {"linear": ("0.10", "0.001"), "spot": ("0.01", "0.000001")}

#: Prices and quantities as texts.
Levels = list[list[str]]


class ScriptedRecording:
    """Grows line by line; the time goes on by ``every_ms`` with each message."""

    def __init__(self, category: str = "linear", every_ms: int = 2) -> None:
        self.category = category
        self.lines = [json.dumps({"t": "header", "format": 2, "exchange": "BYBIT"})]
        self.texts: list[str] = []
        self.now_ms = 1_786_310_817_000
        self.every_ms = every_ms
        self.numbers: dict[str, int] = {}
        self.sequence = 753_843_907_000
        address = f"wss://stream.bybit.com/v5/public/{category}"
        self.add(t="connect", conn="BYBIT.ws.2", addr=address)

    def add(self, **row: str) -> None:
        self.lines.append(json.dumps({**row, "ts": self.now_ms / 1000}))

    def instruments(self, *rows: tuple[str, str, str, str, str]) -> None:
        """Add an answer with reference data: symbol, base, quote, tick and lot of each."""
        listed = [instrument_row(self.category, *row) for row in rows]
        result = {"category": self.category, "list": listed, "nextPageCursor": ""}
        body = json.dumps({"retCode": 0, "retMsg": "OK", "result": result})
        url = f"https://api.bybit.com/v5/market/instruments-info?&category={self.category}"
        self.add(t="http", conn="BYBIT.http.1", url=url, data=body)

    def receive(self, text: str) -> None:
        self.now_ms += self.every_ms
        self.add(t="recv", conn="BYBIT.ws.2", data=text)

    def message(self, topic: str, kind: str, data: Any, **more: int) -> None:
        times: dict[str, Any] = {"type": kind, "ts": self.now_ms}
        if self.category == "spot":
            times = {"ts": self.now_ms, "type": kind}
        body = {"topic": topic, **times, "data": data, **more}
        self.texts.append(json.dumps(body, separators=(",", ":")))
        self.receive(self.texts[-1])

    def book(self, symbol: str, kind: str, bids: Levels, asks: Levels, depth: int = 200) -> None:
        topic = f"orderbook.{depth}.{symbol}"
        self.numbers[topic] = self.numbers.get(topic, 13_000_000) + 1
        self.sequence += 7
        data = {"s": symbol, "b": bids, "a": asks, "u": self.numbers[topic], "seq": self.sequence}
        self.message(topic, kind, data, cts=self.now_ms - 3)

    def trade(self, symbol: str, side: str, price: str, qty: str, is_block: bool = False) -> None:
        self.sequence += 1
        row = {"T": self.now_ms, "s": symbol, "S": side, "v": qty, "p": price}
        text_id = str(UUID(int=self.sequence))
        if self.category == "spot":
            text_id = str(self.sequence)
        ids = {"i": text_id, "BT": is_block, "RPI": False, "seq": self.sequence}
        self.message(f"publicTrade.{symbol}", "snapshot", [{**row, "L": "PlusTick", **ids}])

    def ticker(self, symbol: str, kind: str, **fields: str) -> None:
        data = {"symbol": symbol, **fields}
        self.message(f"tickers.{symbol}", kind, data, cs=self.sequence)

    def save(self, path: Path) -> Path:
        text = "".join(line + "\n" for line in self.lines).encode()
        path.write_bytes(gzip.compress(text) if path.name.endswith(".gz") else text)
        return path


def instrument_row(
    category: str, symbol: str, base: str, quote: str, tick: str, lot: str
) -> dict[str, Any]:
    """Return the row of a symbol in the form of the venue's reference data."""
    limits = {"minOrderQty": lot, "maxOrderQty": "100000"}
    if category == "spot":
        limits |= {"basePrecision": lot, "minOrderAmt": "5", "maxOrderAmt": "8000000"}
    else:
        limits |= {"qtyStep": lot, "minNotionalValue": "5"}
    prices = {"tickSize": tick, "minPrice": tick, "maxPrice": "1999999"}
    coins = {"symbol": symbol, "baseCoin": base, "quoteCoin": quote, "status": "Trading"}
    return {**coins, "priceFilter": prices, "lotSizeFilter": limits}


def moving_market(
    recording: ScriptedRecording, symbol: str, middle: float, tick: float, count: int, decimals: int
) -> None:
    """Add a book of ten levels a side whose middle goes up and down, and trades at its touch."""

    def price(ticks: int) -> str:
        return f"{middle + ticks * tick:.{decimals}f}"

    def sides(move: int) -> tuple[Levels, Levels]:
        bids = [[price(move - level), str(level)] for level in range(1, 11)]
        return bids, [[price(move + level), str(level)] for level in range(1, 11)]

    recording.ticker(symbol, "snapshot", lastPrice=price(0), markPrice=price(0))
    recording.book(symbol, "snapshot", *sides(0))
    last = 0
    for step in range(1, count):
        move = abs(step % 40 - 20)
        (old_bids, old_asks), (bids, asks) = sides(last), sides(move)
        kept = {p for p, _ in bids}, {p for p, _ in asks}
        gone_bids = [[p, "0"] for p, _ in old_bids if p not in kept[0]]
        gone_asks = [[p, "0"] for p, _ in old_asks if p not in kept[1]]
        recording.book(symbol, "delta", gone_bids + bids, gone_asks + asks)
        recording.trade(symbol, ("Buy", "Sell")[step % 2], price(move + 1 - 2 * (step % 2)), "1")
        recording.ticker(symbol, "delta", bid1Price=bids[0][0], bid1Size=bids[0][1])
        last = move
