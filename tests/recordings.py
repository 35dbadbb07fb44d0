"""The folders of recordings: one of our own making, and the one that ``VORTEX_SHARED`` names.

Both have the same files in the same places, so that a test reads either.
"""

import gzip
import json
import os
import shutil
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import made_frames
import made_market
import made_messages
import made_orders
from scale import scaled

from vortex.codes import Kind

ROOT = Path(__file__).resolve().parent.parent
SPOT = Path("captures/binance_spot/btcusdt_20240808.jsonl.gz")
SPOT_STATES = Path("vectors/book_checkpoints.json")
SPOT_NAME = "hft_spot_btcusdt_20240808"
SPOT_SYMBOLS = Path("captures/exchange_info/binance_spot_TSLABUSDT_20260926.json")
SPOT_USER_DATA = Path("captures/fixtures/binance/spot/user_data_json")
SPOT_SCHEMA = Path("captures/binance_sbe_schemas/stream_1_0.xml")
LINEAR = Path("captures/bybit_linear/bybit_linear_20260809.jsonl.zst")
BYBIT_SYMBOLS = Path("captures/exchange_info/bybit_instruments_20260809.json")
BYBIT_MESSAGES = Path("captures/fixtures/bybit")
SESSIONS = Path("vectors/autobahn.json")
SEQUENCES = Path("vectors/matching_vectors.json")

#: How much is made: 30 s of a spot market, 300 messages of four contracts.
SPOT_STEPS, LINEAR_FRAMES = scaled(300, 40), scaled(300, 40)


def recorded_folder() -> Path | None:
    """Return the folder of what was recorded elsewhere; None where there is none."""
    folder = Path(os.environ.get("VORTEX_SHARED") or ROOT.parent / "shared")
    return folder if folder.is_dir() else None


def write(path: Path, text: str) -> None:
    """Write a file and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def make(folder: Path) -> Path:
    """Fill a folder with recordings of our own making; return it."""
    spot = made_market.SpotRecording(SPOT_STEPS, seed=1)
    spot.save(folder / SPOT)
    write(folder / SPOT_STATES, json.dumps({SPOT_NAME: spot.checkpoints()}))
    write(folder / SPOT_SYMBOLS, made_market.compact(made_messages.spot_exchange_info()))
    for name, message in made_messages.spot_user_data().items():
        write(folder / SPOT_USER_DATA / f"{name}.json", json.dumps(message, indent=2))
    write(folder / SPOT_SCHEMA, (ROOT / "tests/made_stream_schema.xml").read_text("utf-8"))
    made_market.BybitRecording(LINEAR_FRAMES, seed=2).save((folder / LINEAR).with_suffix(""))
    write(folder / BYBIT_SYMBOLS, json.dumps(made_messages.bybit_instruments(), indent=1))
    for name, message in made_messages.bybit_messages().items():
        write(folder / BYBIT_MESSAGES / f"{name}.json", json.dumps(message, indent=2))
    write(folder / SESSIONS, made_frames.sessions())
    write(folder / SEQUENCES, made_orders.sequences())
    return folder


@cache
def spot_lines(folder: Path) -> list[bytes]:
    """Return the lines of the spot recording: local time in ns, a space, the text."""
    return gzip.decompress((folder / SPOT).read_bytes()).splitlines()


@cache
def spot_texts(folder: Path) -> list[bytes]:
    """Return the frames of the spot recording, and its snapshot, in order."""
    return [line.partition(b" ")[2] for line in spot_lines(folder)]


def kind_of(text: bytes) -> Kind:
    """Return what a line of the spot recording tells, as its names say."""
    data = json.loads(text)
    data = data.get("data", data)
    if "lastUpdateId" in data:
        return Kind.SNAPSHOT
    return {"depthUpdate": Kind.DEPTH, "trade": Kind.TRADE, None: Kind.TICKER}[data.get("e")]


@cache
def spot_kinds(folder: Path) -> Counter[Kind]:
    """Return how many lines of each kind the spot recording has."""
    return Counter(map(kind_of, spot_texts(folder)))


@cache
def linear_texts(folder: Path) -> list[bytes]:
    """Return the messages that the recorded connection to Bybit received, in order.

    Raises
    ------
    RuntimeError
        When the recording is compressed and there is no ``zstd``.
    """
    path = folder / LINEAR
    if path.exists():
        if shutil.which("zstd") is None:
            raise RuntimeError(f"{path} cannot be read without the program zstd: install it")
        text = subprocess.run(["zstd", "-dc", str(path)], capture_output=True, check=True).stdout
    else:
        text = path.with_suffix("").read_bytes()
    records = [json.loads(line) for line in text.splitlines()]
    return [record["data"].encode() for record in records if record["t"] == "recv"]


def loaded(path: Path) -> Any:
    """Return what a file of JSON holds."""
    return json.loads(path.read_bytes())
