"""Market frames to measure with: a recording where there is one, else frames made from a seed.

The recording is a file of lines ``<local time, ns> <JSON of a combined stream>``.  It is looked for
beside the project, or in the folder that ``VORTEX_SHARED`` names.
"""

import gzip
import json
import os
import random
from pathlib import Path

from ipc.types import RecordArray
from vortex.venues import market_of

ROOT = Path(__file__).resolve().parent.parent.parent
SYMBOL = "BTCUSDT"
RECORDING = Path("captures", "binance_spot", "btcusdt_20240808.jsonl.gz")
TICK, LOT = "0.01", "0.00001"
TICK_E8, LOT_E8 = 1_000_000, 1_000

EXCHANGE_INFO = {
    "symbols": [
        {
            "symbol": SYMBOL,
            "status": "TRADING",
            "baseAsset": "BTC",
            "quoteAsset": "USDT",
            "filters": [
                {
                    "filterType": "PRICE_FILTER",
                    "minPrice": TICK,
                    "maxPrice": "1000000.00000000",
                    "tickSize": TICK,
                },
                {
                    "filterType": "LOT_SIZE",
                    "minQty": LOT,
                    "maxQty": "9000.00000000",
                    "stepSize": LOT,
                },
                {"filterType": "NOTIONAL", "minNotional": "5.0", "maxNotional": "9000000.0"},
            ],
        }
    ]
}


def instruments() -> RecordArray:
    """Return the INSTRUMENT table of the one symbol in the frames."""
    return market_of("binance_spot").read_instruments(
        [json.dumps(EXCHANGE_INFO).encode()], [SYMBOL], 0
    )


def recording_path() -> Path:
    """Return where the recording is looked for."""
    return Path(os.environ.get("VORTEX_SHARED") or ROOT.parent / "shared") / RECORDING


def recorded(path: Path) -> list[bytes]:
    """Return the stream frames of a recording, in order."""
    with gzip.open(path, "rb") as lines:
        payloads = [line.partition(b" ")[2].rstrip() for line in lines]
    return [payload for payload in payloads if payload.startswith(b'{"stream":"')]


def text_e8(value_e8: int) -> str:
    """Return a value of 1e-8 as the venue writes it."""
    return f"{value_e8 // 10**8}.{value_e8 % 10**8:08d}"


def price_text(ticks: int) -> str:
    """Return a price as the venue writes it."""
    return text_e8(ticks * TICK_E8)


def qty_text(lots: int) -> str:
    """Return a quantity as the venue writes it."""
    return text_e8(lots * LOT_E8)


class Maker:
    """Makes frames in the proportions and sizes of a calm hour of a large market."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.update_id = 50_000_000_000
        self.trade_id = 3_700_000_000
        self.mid_ticks = 6_000_000
        self.wall_ms = 1_723_161_255_000

    def levels(self, side: int) -> list[list[str]]:
        """Return the changed levels of one side, +1 for asks and -1 for bids."""
        count = min(1 + int(self.random.expovariate(1 / 9)), 200)
        away = sorted(self.random.sample(range(1, 20_000), count))
        gone = (0, 0, 1)
        return [
            [
                price_text(self.mid_ticks + side * ticks),
                qty_text(self.random.choice((*gone, *self.random.sample(range(1, 10**6), 3)))),
            ]
            for ticks in away
        ]

    def depth(self) -> tuple[str, dict[str, object]]:
        """Return a stream's name and a diff."""
        first_id = self.update_id + 1
        self.update_id += self.random.randint(1, 200)
        data = {"e": "depthUpdate", "E": self.wall_ms, "s": SYMBOL, "U": first_id,
                "u": self.update_id, "b": self.levels(-1), "a": self.levels(1)}  # fmt: skip
        return "depth@100ms", data

    def ticker(self) -> tuple[str, dict[str, object]]:
        """Return a stream's name and a best bid and ask."""
        bid_lots, ask_lots = self.random.randint(1, 10**6), self.random.randint(1, 10**6)
        data = {"u": self.update_id, "s": SYMBOL,
                "b": price_text(self.mid_ticks), "B": qty_text(bid_lots),
                "a": price_text(self.mid_ticks + 1), "A": qty_text(ask_lots)}  # fmt: skip
        return "bookTicker", data

    def trade(self) -> tuple[str, dict[str, object]]:
        """Return a stream's name and a trade."""
        self.trade_id += 1
        data = {"e": "trade", "E": self.wall_ms, "s": SYMBOL, "t": self.trade_id,
                "p": price_text(self.mid_ticks), "q": qty_text(self.random.randint(1, 10**5)),
                "T": self.wall_ms - 1, "m": self.random.random() < 0.5, "M": True}  # fmt: skip
        return "trade", data

    def frame(self) -> bytes:
        """Return the next frame."""
        self.wall_ms += self.random.randint(1, 15)
        self.mid_ticks += self.random.randint(-3, 3)
        chosen = self.random.choices((self.ticker, self.trade, self.depth), (68, 24, 8))[0]
        name, data = chosen()
        message = {"stream": f"{SYMBOL.lower()}@{name}", "data": data}
        return json.dumps(message, separators=(",", ":")).encode()


def made(count: int, seed: int) -> list[bytes]:
    """Return ``count`` frames made from a seed."""
    maker = Maker(seed)
    return [maker.frame() for _ in range(count)]


def load(count_max: int | None = None) -> tuple[list[bytes], str]:
    """Return frames, and words that say which they are."""
    path = recording_path()
    if path.exists():
        return recorded(path)[:count_max], f"recording {path.name}"
    count = count_max or 40_000
    return made(count, seed=1), f"{count} frames made from seed 1 (no recording at hand)"
