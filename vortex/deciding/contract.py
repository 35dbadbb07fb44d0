"""What a strategy file must hold, and what it is given.

``Params``
    a frozen ``msgspec.Struct``: names, bounds and meaning of what the configuration may set.  A
    field is an int, a float or an ``Instrument``; they become the record ``params``.
``STATE``
    a ``Layout`` of what it remembers per instrument (may be one reserved field), zero at the start.
``decide(top, view, params, state, wanted) -> None``
    compiled: fill ``wanted`` (vortex.orders.quoting.WANTED, empty on entry) from what is known.

``top`` is vortex.records.TOP, ``view`` is VIEW of ``vortex.deciding.sight``; the functions of
``vortex.deciding.seeing`` say more of it: levels, trades, our own orders, other instruments.
``decide`` is called at the end of each drain, while the book is valid, for each instrument with
news: a top, trades, an event of an order, a top of an instrument that it leans on (``leans_on`` in
the configuration), or the time that it set itself in ``wanted.wake_ns``.  That time is forgotten
whenever ``decide`` is called.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any

import msgspec
import numba
import numpy as np
from msgspec import Meta
from numba import types

from ipc.compiled import PLAIN_PYTHON
from ipc.layout import Layout
from ipc.types import RecordArray
from vortex.deciding.sight import VIEW
from vortex.orders.quoting import WANTED
from vortex.records import TOP

#: The name of an instrument of the run, as a parameter: ``SOURCE:SYMBOL``, or a symbol that one
#: source has.  ``decide`` gets the instrument's id, for ``seeing.market``.
Instrument = Annotated[str, Meta(pattern=r"^[!-~]+$")]

#: Returns the id of the instrument of a name; raises LookupError where there is none.
InstrumentIds = Callable[[str], int]


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

    def params_record(self, params: msgspec.Struct, instrument_id: InstrumentIds) -> RecordArray:
        """Return ``params`` as one record, with the ids of the instruments that they name.

        Raises
        ------
        LookupError
            When there is no such instrument.
        """
        values = msgspec.structs.astuple(params)
        numbers = [instrument_id(each) if isinstance(each, str) else each for each in values]
        return np.array([tuple(numbers)], self.params_dtype)

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
    kinds = {int: "i8", float: "f8", str: "i8"}
    if annotation not in kinds:
        raise TypeError(f"a strategy parameter is int, float or Instrument, not {annotation!r}")
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
