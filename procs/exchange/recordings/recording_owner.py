"""Which venue a recording is of, or why it cannot be served.

Two forms are read.  Binance's: lines of ``<local ns> <raw JSON>``, frames of combined streams.
Bybit's: lines of JSON with ``t`` (header, http, connect, send, recv), ``conn``, ``ts`` and
``data``, the text of the message.
"""

import itertools
from pathlib import Path
from typing import Any

import msgspec

from procs.exchange.core.exchange_config import ExchangeConfigError
from procs.exchange.recordings.recording_lines import lines_of

SERVED = "recordings of binance_spot, bybit_linear and bybit_spot are served"
LINES_MAX = 400
#: What a message of Binance's futures has and one of spot has not, and which of them it is.
FUTURES = (("ps", "COIN-M futures"), ("pu", "USD-M futures"), ("X", "USD-M futures"))


def owner_of(path: Path) -> str:
    """Return ``binance`` or ``bybit``: whose dialect plays the recording.

    Raises
    ------
    ExchangeConfigError
        When the recording is of another venue, or of a market that is not served, or none.
    """
    for line in itertools.islice(lines_of(path), LINES_MAX):
        stamp, _, text = line.partition(b" ")
        if stamp.isdigit():
            if _is_spot(path, text):
                return "binance"
            continue
        row = _object(line)
        if row is None:
            break
        if "t" in row and str(row.get("exchange", "")).upper() in ("", "BYBIT"):
            return "bybit"
        venue = row.get("exchange") or row.get("venue") or "an unknown venue"
        raise ExchangeConfigError(f"{path}: a recording of {venue}; {SERVED}")
    raise ExchangeConfigError(f"{path}: no recording of a form that is known; {SERVED}")


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if isinstance(found, dict) else None


def _is_spot(path: Path, text: bytes) -> bool:
    """Return whether a frame is of Binance's spot; False where it does not say."""
    row = _object(text) or {}
    data = row.get("data")
    if not isinstance(data, dict):
        return False
    if row.get("stream", "").endswith("@bookTicker") and "e" in data:
        raise ExchangeConfigError(f"{path}: a recording of Binance's futures; {SERVED}")
    for key, market in FUTURES:
        if key in data:
            raise ExchangeConfigError(f"{path}: a recording of Binance's {market}; {SERVED}")
    return "stream" in row
