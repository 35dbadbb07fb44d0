"""Decodes records for people and programs: fields by name, codes by name."""

from enum import IntEnum
from typing import Any

import msgspec
import numpy as np

from ipc.layout import Layout
from ipc.shared import RingSpec
from procs.logs.hot_events import CATALOGUE
from procs.observe import table_text
from vortex.codes import Kind, OrderForce, OrderState, Reject, Side
from vortex.records import (
    DEPTH,
    FEED,
    LEVELS,
    ORDER_EVENT,
    REQUEST,
    SHOWN_LEVELS,
    TICKER,
    TOP,
    TRADE,
)

#: The declaration of each kind of record, for rings that carry several.
LAYOUTS: dict[int, Layout] = {
    **dict.fromkeys((Kind.DEPTH, Kind.SNAPSHOT, Kind.PARTIAL), DEPTH),
    **dict.fromkeys((Kind.BIDS, Kind.ASKS), LEVELS),
    Kind.TICKER: TICKER,
    Kind.TRADE: TRADE,
    **dict.fromkeys((Kind.FEED_DOWN, Kind.FEED_UP), FEED),
    Kind.TOP: TOP,
    **dict.fromkeys((Kind.SHOWN_BIDS, Kind.SHOWN_ASKS), SHOWN_LEVELS),
    **dict.fromkeys((Kind.PLACE, Kind.CANCEL, Kind.REPLACE), REQUEST),
    **dict.fromkeys(range(Kind.ACKED, Kind.RESUMED + 1), ORDER_EVENT),
}
#: The codes in the field of each name.
CODES: dict[str, type[IntEnum]] = {
    "kind": Kind,
    "request_kind": Kind,
    "side": Side,
    "aggressor_side": Side,
    "reason": Reject,
    "time_in_force": OrderForce,
    "state": OrderState,
}
HIDDEN = ("reserved",)
LINE_SCHEMA = 1

Value = int | str | list[int]
Fields = dict[str, Value]


def layout_of(spec: RingSpec, raw: bytes) -> Layout | None:
    """Return the declaration of one record of a ring; None when its kind is not known."""
    if len(spec.layouts) == 1:
        return spec.layouts[0]
    found = LAYOUTS.get(raw[0] if raw else 0)
    return found if found in spec.layouts else None


def fields_of(layout: Layout, raw: bytes) -> Fields:
    """Return the fields of one record as plain numbers, in the order of the declaration."""
    values = np.frombuffer(raw, layout.dtype, 1).tolist()[0]
    named: Fields = {}
    for field, value in zip(layout.fields, values, strict=True):
        if field.name not in HIDDEN:
            is_bytes = isinstance(value, bytes)
            named[field.name] = value.decode(errors="replace") if is_bytes else plain(value)
    return named


def with_symbol(fields: Fields, symbols: list[str]) -> Fields:
    """Return a record's fields with the symbol of its instrument, if it has one."""
    instrument_id = fields.get("instrument_id")
    if isinstance(instrument_id, int) and 0 <= instrument_id < len(symbols):
        return {**fields, "symbol": symbols[instrument_id]}
    return fields


def plain(value: Any) -> Any:
    """Return a field's value without numpy's wrapping."""
    return value.tolist() if isinstance(value, np.ndarray) else value


def code_name(field_name: str, value: Value) -> Value:
    """Return the name of a code, in lower case; other values unchanged."""
    if not isinstance(value, int):
        return value
    if field_name == "event_id":
        event = CATALOGUE.events.get(value)
        return event.text if event else value
    codes = CODES.get(field_name)
    if codes is None:
        return value
    try:
        return codes(value).name.lower()
    except ValueError:
        return value


def number(field_name: str, value: Any) -> Any:
    """Return the code of a name from ``code_name``; other values unchanged."""
    if not isinstance(value, str):
        return value
    codes = CODES.get(field_name)
    return value.encode() if codes is None else int(codes[value.upper()])


def named(fields: Fields) -> Fields:
    """Return a record's fields with the names of its codes."""
    return {name: code_name(name, value) for name, value in fields.items()}


def shown(name: str, value: Value) -> str:
    """Return a field's value as text."""
    if isinstance(value, list):
        return "[" + " ".join(map(str, value)) + "]"
    return str(code_name(name, value))


def one_line(seq: int, layout: Layout, fields: Fields) -> str:
    """Return a record on one line, without its stamps and empty fields."""
    words = [f"{seq}", str(code_name("kind", fields.get("kind", layout.name)))]
    if "symbol" in fields:
        words.append(str(fields["symbol"]))
    for name, value in fields.items():
        if name in ("kind", "symbol", "instrument_id") or name.endswith("_ns") or value == 0:
            continue
        words.append(f"{name}={shown(name, value)}")
    return " ".join(words)


def json_line(ring_name: str, seq: int, layout: Layout, fields: Fields) -> str:
    """Return a record as a line of JSON, for programs and for ``vortexctl step``."""
    head = {"schema": LINE_SCHEMA, "ring": ring_name, "seq": seq, "record": layout.name}
    return msgspec.json.encode(head | named(fields)).decode() + "\n"


def explained(layout: Layout, fields: Fields, width: int) -> list[table_text.Line]:
    """Return a record field by field, each with its description."""
    columns = (
        table_text.Column("field", is_text=True), table_text.Column("value"),
        table_text.Column("meaning", 1, is_text=True),
    )  # fmt: skip
    rows = []
    for field in layout.fields:
        if field.name in fields:
            rows.append(
                table_text.TextRow([field.name, shown(field.name, fields[field.name]), field.doc])
            )
    return table_text.table(columns, rows, width)
