"""The memory of a run in which no process runs, for the tests of what only looks."""

from pathlib import Path
from typing import Any

import msgspec
from engines import new_instance, strategy_of

from ipc.shared import SharedRing
from procs.observe.samples.view import RunView
from procs.plan import wiring
from procs.plan.config import Config
from procs.supervision.run_segments import RunMemory

SYMBOLS = ["BTCUSDT", "ETHUSDT"]
TICK_E8, LOT_E8 = 1_000_000, 1_000


class Still:
    """The memory of a run in which no process runs; the tests are its supervisor and its stages."""

    def __init__(self, folder: Path) -> None:
        tables = {
            "instance": new_instance(),
            "sources": [{"rest_url": "http://x", "stream_url": "ws://x", "symbols": SYMBOLS}],
            "accounts": [{"rest_url": "http://x", "order_url": "ws://x"}],
            "strategies": [strategy_of(symbol, 1) for symbol in SYMBOLS],
            "rings": {"requests_bits": 6, "tops_bits": 6, "market_bits": 8},
            "books": {"levels": 64, "pending_records": 256},
        }
        self.config = msgspec.convert(tables, Config)
        self.memory = RunMemory.create(wiring.wire(self.config), run_id=0xABCDEF01)
        clock = self.memory.tables["clock"].records
        clock[0]["wall_offset_ns"] = 1_000
        for row in self.memory.tables["instruments"].records:
            row["tick_e8"], row["lot_e8"] = TICK_E8, LOT_E8
        self.view = RunView(self.config, folder)

    def records(self, name: str) -> Any:
        """Return a table that the test may write."""
        return self.memory.tables[name].records

    def writer(self, name: str) -> SharedRing:
        """Return the writer's end of a ring."""
        return SharedRing.attach_writer(
            self.memory.wiring.segment(name), self.memory.wiring.links[name].spec
        )

    def close(self) -> None:
        """Remove everything."""
        self.view.close()
        self.memory.remove()
