"""Frames of Bybit's linear contracts to measure with: a recording, else frames made from a seed.

The recording has a JSON object a line, compressed by zstd: what was received in ``data`` where
``t`` is ``recv``.  It is looked for beside the project, or in the folder of ``VORTEX_SHARED``.
"""

import json
import os
import random
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ipc.types import RecordArray
from vortex.records import INSTRUMENT

ROOT = Path(__file__).resolve().parent.parent.parent
RECORDING = Path("captures", "bybit_linear", "bybit_linear_20260809.jsonl.zst")
TAKEN = (b'{"topic":"orderbook', b'{"topic":"publicTrade')


class Contract(NamedTuple):
    """A contract, its steps, and about where it traded."""

    symbol: str
    tick_e8: int
    lot_e8: int
    places: int
    qty_places: int
    mid_ticks: int


CONTRACTS = (
    Contract("BTCUSDT", 10**7, 10**5, 2, 3, 651_140),
    Contract("ETHUSDT", 10**6, 10**6, 2, 2, 192_250),
    Contract("SOLUSDT", 10**6, 10**7, 3, 1, 7_730),
    Contract("DOGEUSDT", 10**3, 10**8, 5, 0, 7_053),
)


def bybit_instruments() -> RecordArray:
    """Return the INSTRUMENT table of the contracts in the frames."""
    rows = np.zeros(len(CONTRACTS), dtype=INSTRUMENT.dtype)
    for index, contract in enumerate(CONTRACTS):
        row, symbol = rows[index], contract.symbol.encode()
        row["symbol"], row["symbol_bytes"], row["instrument_id"] = symbol, len(symbol), index
        row["tick_e8"], row["lot_e8"] = contract.tick_e8, contract.lot_e8
    return rows


def bybit_recording() -> Path:
    """Return where the recording is looked for."""
    return Path(os.environ.get("VORTEX_SHARED") or ROOT.parent / "shared") / RECORDING


def recorded_frames(path: Path) -> list[bytes]:
    """Return the books and trades of a recording, in order."""
    text = subprocess.run(["zstd", "-dc", str(path)], capture_output=True, check=True).stdout
    records = (json.loads(line) for line in text.splitlines())
    received = (record["data"].encode() for record in records if record["t"] == "recv")
    return [frame for frame in received if frame.startswith(TAKEN)]


def padded_text(value_e8: int, places: int) -> str:
    """Return a value as the venue writes it for contracts: with a fixed number of places."""
    whole, rest = divmod(value_e8, 10**8)
    return f"{whole}.{rest:08d}"[: len(str(whole)) + (1 + places if places else 0)]


class ContractMaker:
    """Makes frames in the proportions and sizes of a calm minute of four contracts."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.update_ids = {contract.symbol: 15_000_000 for contract in CONTRACTS}
        self.sequence = 750_000_000_000
        self.wall_ms = 1_786_310_818_000

    def levels(self, contract: Contract, side: int, count: int) -> list[list[str]]:
        """Return levels of one side, +1 for asks and -1 for bids; of a delta, some are gone."""
        away = sorted(self.random.sample(range(1, 400), count))
        return [
            [
                padded_text(
                    (contract.mid_ticks + side * ticks) * contract.tick_e8, contract.places
                ),
                self.qty(contract) if self.random.random() < 0.75 else "0",
            ]
            for ticks in away
        ]

    def qty(self, contract: Contract) -> str:
        """Return a quantity."""
        lots = int(self.random.expovariate(1 / 900)) + 1
        return padded_text(lots * contract.lot_e8, contract.qty_places)

    def book(self, contract: Contract) -> dict[str, object]:
        """Return a delta of 200 levels, at times a snapshot."""
        self.update_ids[contract.symbol] += 1
        is_snapshot = self.random.random() < 0.003
        counts = [200 if is_snapshot else int(self.random.expovariate(1 / 6)) for _ in range(2)]
        bids, asks = (
            self.levels(contract, side, min(count, 200))
            for side, count in zip((-1, 1), counts, strict=True)
        )
        data = {"s": contract.symbol, "b": bids, "a": asks,
                "u": self.update_ids[contract.symbol], "seq": self.sequence}  # fmt: skip
        return {
            "topic": f"orderbook.200.{contract.symbol}",
            "type": "snapshot" if is_snapshot else "delta",
            "ts": self.wall_ms,
            "data": data,
            "cts": self.wall_ms - 3,
        }

    def trades(self, contract: Contract) -> dict[str, object]:
        """Return some trades of one moment."""
        rows = [
            {
                "T": self.wall_ms - 1,
                "s": contract.symbol,
                "S": self.random.choice(("Buy", "Sell")),
                "v": self.qty(contract),
                "p": padded_text(contract.mid_ticks * contract.tick_e8, contract.places),
                "L": self.random.choice(("PlusTick", "ZeroPlusTick", "MinusTick")),
                "i": str(uuid.UUID(int=self.random.getrandbits(128))),
                "BT": False,
                "RPI": self.random.random() < 0.1,
                "seq": self.sequence,
            }
            for _ in range(1 + int(self.random.expovariate(1 / 2)))
        ]
        return {
            "topic": f"publicTrade.{contract.symbol}",
            "type": "snapshot",
            "ts": self.wall_ms,
            "data": rows,
        }

    def frame(self) -> bytes:
        """Return the next frame."""
        self.wall_ms += self.random.randint(1, 50)
        self.sequence += self.random.randint(1, 3_000)
        make = self.random.choices((self.book, self.trades), (94, 6))[0]
        message = make(self.random.choice(CONTRACTS))
        return json.dumps(message, separators=(",", ":")).encode()


def made_frames(count: int, seed: int) -> list[bytes]:
    """Return ``count`` frames made from a seed."""
    maker = ContractMaker(seed)
    return [maker.frame() for _ in range(count)]


def load_bybit(count_max: int | None = None) -> tuple[list[bytes], str]:
    """Return frames, and words that say which they are."""
    path = bybit_recording()
    if path.exists() and shutil.which("zstd"):
        return recorded_frames(path)[:count_max], f"recording {path.name}"
    count = count_max or 2_000
    return made_frames(count, seed=1), f"{count} frames made from seed 1 (no recording at hand)"
