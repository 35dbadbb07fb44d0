"""What ``parse`` is measured beside: msgspec, orjson, and simdjson in C++, on the same bytes."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from tools.bench.frames import LOT_E8, SYMBOL, TICK_E8
from tools.bench.parse_loops import Sum

REFERENCE = Path(__file__).with_name("parse_reference.cpp")
HEADER = Path("/usr/include/simdjson.h")
#: Where a frame's stream name tells its type: the letter behind ``btcusdt@``.
TYPE_OFFSET = len('{"stream":"') + len(SYMBOL) + 1


class Depth(msgspec.Struct):
    """``depthUpdate``."""

    E: int
    U: int
    u: int
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]


class Ticker(msgspec.Struct):
    """``bookTicker``."""

    u: int
    b: str
    B: str
    a: str
    A: str


class Trade(msgspec.Struct):
    """``trade``."""

    t: int
    p: str
    q: str
    T: int
    m: bool


class DepthFrame(msgspec.Struct):
    """A frame of the depth stream."""

    data: Depth


class TickerFrame(msgspec.Struct):
    """A frame of the bookTicker stream."""

    data: Ticker


class TradeFrame(msgspec.Struct):
    """A frame of the trade stream."""

    data: Trade


DECODERS: dict[int, Callable[[bytes], Any]] = {
    ord("d"): msgspec.json.Decoder(DepthFrame).decode,
    ord("b"): msgspec.json.Decoder(TickerFrame).decode,
    ord("t"): msgspec.json.Decoder(TradeFrame).decode,
}


def decode_typed(frames: list[bytes]) -> None:
    """Decode each frame into the Struct of its type; numbers in text stay text."""
    for frame in frames:
        DECODERS[frame[TYPE_OFFSET]](frame)


def ticks(price: str) -> int:
    """Return a price of eight decimals in ticks."""
    return int(price.replace(".", "")) // TICK_E8


def lots(qty: str) -> int:
    """Return a quantity of eight decimals in lots."""
    return int(qty.replace(".", "")) // LOT_E8


def decode_and_sum(frames: list[bytes]) -> list[int]:
    """Decode each frame, convert its numbers, and return what ``parse_loops.Sum`` names."""
    sums = [0] * len(Sum)
    for frame in frames:
        data = DECODERS[frame[TYPE_OFFSET]](frame).data
        if isinstance(data, Ticker):
            values: tuple[int, ...] = (
                data.u,
                ticks(data.b),
                lots(data.B),
                ticks(data.a),
                lots(data.A),
            )
            first = Sum.TICKER_UPDATE_ID
        elif isinstance(data, Trade):
            values = (data.t, ticks(data.p), lots(data.q), -1 if data.m else 1, data.T)
            first = Sum.TRADE_ID
        else:
            values = (data.U, data.u, data.E, *_sum_side(data.b), *_sum_side(data.a))
            first = Sum.DEPTH_FIRST_ID
        for offset, value in enumerate(values):
            sums[first + offset] += value
    return sums


def _sum_side(levels: list[tuple[str, str]]) -> tuple[int, int, int]:
    all_ticks = sum([ticks(price) for price, _ in levels])
    return len(levels), all_ticks, sum([lots(qty) for _, qty in levels])


def orjson_loads() -> Callable[[list[bytes]], None] | None:
    """Return what decodes each frame with orjson, None where it is not installed."""
    try:
        import orjson
    except ImportError:
        return None

    def decode(frames: list[bytes]) -> None:
        for frame in frames:
            orjson.loads(frame)

    return decode


def why_no_simdjson() -> str:
    """Return what is missing for the C++ program; empty when nothing is."""
    if not HEADER.exists():
        return "no libsimdjson-dev (apt-get install libsimdjson-dev)"
    if shutil.which("g++") is None:
        return "no g++ (apt-get install g++)"
    return ""


class Simdjson:
    """simdjson's on-demand parser in a process of its own, on this process's CPUs."""

    def __init__(self, folder: str, cases: dict[str, list[bytes]]) -> None:
        program = Path(folder) / "parse_reference"
        command = ["g++", "-O3", "-march=native", "-std=c++17", "-o", str(program),
                   str(REFERENCE), "-lsimdjson"]  # fmt: skip
        subprocess.run(command, check=True)
        paths = []
        for name, frames in cases.items():
            path = Path(folder) / name
            path.write_bytes(b"".join(len(f).to_bytes(8, "little") + f for f in frames))
            paths.append(str(path))
        self.indexes = {name: index for index, name in enumerate(cases)}
        self.process = subprocess.Popen(
            [str(program), str(TICK_E8), str(LOT_E8), *paths],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip

    def run(self, name: str) -> tuple[float, list[int]]:
        """Decode one case once; return the seconds and the sums."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{self.indexes[name]}\n")
        self.process.stdin.flush()
        words = self.process.stdout.readline().split()
        return int(words[0]) / 1e9, [int(word) for word in words[1:]]

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


def run_checked(simdjson: Simdjson, name: str, expected: list[int]) -> float:
    """Return the seconds of one pass; the sums must be those of the other decoders."""
    seconds, sums = simdjson.run(name)
    assert sums == expected, f"simdjson's sums of {name} differ"
    return seconds


def kinds_of_python() -> dict[str, Callable[[list[bytes]], Any]]:
    """Return the Python decoders by name."""
    kinds: dict[str, Callable[[list[bytes]], Any]] = {
        "msgspec": decode_typed,
        "msgspec to ticks": decode_and_sum,
    }
    loads = orjson_loads()
    if loads is not None:
        kinds["orjson"] = loads
    return kinds
