"""What a strategy file must hold, and what it is handed.

``Params``
    a frozen ``msgspec.Struct``: names, bounds and meaning of what the configuration may set.  All
    fields are int or float; they become the record ``params``.
``STATE``
    a ``Layout`` of what it remembers per instrument (may be one reserved field), zero at the start.
``decide(top, view, params, state, wanted) -> None``
    compiled: fill ``wanted`` (vortex.orders.quoting.WANTED, empty on entry) from what is known.

``top`` is vortex.records.TOP, ``view`` is VIEW below.  ``decide`` is called after each drain of the
book's word, for each instrument that it touched, and only while the book is valid.
"""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import msgspec
import numba
import numpy as np
from numba import types

from ipc.compiled import PLAIN_PYTHON
from ipc.layout import Field, Layout, reserved
from ipc.types import RecordArray
from vortex.orders.quoting import WANTED
from vortex.records import TOP

VIEW = Layout(
    "view",
    "What a strategy may know of one instrument besides the top of the book.",
    Field("position_lots", "i8", "our position since the start of the run"),
    Field("now_ns", "i8", "time of this decision"),
    Field("last_trade_ticks", "i8", "price of the market's last trade; 0 before the first"),
    Field("bought_lots", "i8", "lots that takers bought since the start"),
    Field("sold_lots", "i8", "lots that takers sold since the start"),
    Field("price_ticks_min", "i8", "lowest price that the venue takes"),
    Field("price_ticks_max", "i8", "highest price that the venue takes"),
    Field("qty_lots_min", "i8", "smallest order that the venue takes"),
    Field("notional_min", "i8", "least price times quantity of an order, in ticks times lots"),
    Field("position_lots_max", "i8", "the limit that the gateway enforces"),
    reserved(48),
)


@dataclass(frozen=True)
class Strategy:
    """A loaded strategy file."""

    name: str
    params_type: type[msgspec.Struct]
    state: Layout
    decide: Any

    @property
    def params_dtype(self) -> "np.dtype[np.void]":
        """The record that ``Params`` becomes."""
        fields = msgspec.structs.fields(self.params_type)
        return np.dtype([(field.name, params_kind(field.type)) for field in fields])

    def params_record(self, params: msgspec.Struct) -> RecordArray:
        """Return ``params`` as one record."""
        values = tuple(msgspec.structs.astuple(params))
        return np.array([values], self.params_dtype)

    @property
    def params_record_type(self) -> Any:
        """The numba type of that record."""
        return numba.from_dtype(self.params_dtype)

    @property
    def decide_signature(self) -> Any:
        """The signature under which ``decide`` is plugged into the loop."""
        records = (
            TOP.record_type,
            VIEW.record_type,
            self.params_record_type,
            self.state.record_type,
            WANTED.record_type,
        )
        return types.none(*records)


def params_kind(annotation: Any) -> str:
    """Return the field kind of a parameter's type."""
    while hasattr(annotation, "__origin__") or hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    kinds = {int: "i8", float: "f8"}
    if annotation not in kinds:
        raise TypeError(f"a strategy parameter is int or float, not {annotation!r}")
    return kinds[annotation]


def of_module(module: ModuleType, name: str) -> Strategy:
    """Return the strategy that a module holds.

    Raises
    ------
    LookupError
        When it misses a part of the contract.
    """
    for part in ("Params", "STATE", "decide"):
        if not hasattr(module, part):
            raise LookupError(f"strategy {name!r} has no {part}; see vortex/deciding/contract.py")
    if not PLAIN_PYTHON and not hasattr(module.decide, "py_func"):
        raise LookupError(f"decide of strategy {name!r} is not compiled; put @compiled above it")
    return Strategy(name, module.Params, module.STATE, module.decide)
