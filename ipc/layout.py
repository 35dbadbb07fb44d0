"""Declare a shared record once: numpy, numba, attach, observers and documents read it here."""

import hashlib
from typing import Any, NamedTuple

import numba
import numpy as np

CACHE_LINE_BYTES = 64


class Field(NamedTuple):
    """One field: the name ends in its unit, the kind is a numpy scalar code, signed or bytes."""

    name: str
    kind: str
    doc: str
    shape: tuple[int, ...] = ()


class Layout:
    """A fixed record: dtype for code, table for people, fingerprint for attach.

    Raises
    ------
    AssertionError
        At import, when the record has implicit padding, is not a multiple of ``multiple_bytes``,
        or has an unsigned field (numba types ``uint64 + int64`` as float64).
    """

    def __init__(
        self, name: str, doc: str, *fields: Field, multiple_bytes: int = CACHE_LINE_BYTES
    ) -> None:
        self.name = name
        self.doc = doc
        self.fields = fields
        self.dtype = np.dtype([(f.name, f.kind, f.shape) for f in fields], align=True)
        payload_bytes = sum(np.dtype((f.kind, f.shape)).itemsize for f in fields)
        assert payload_bytes == self.dtype.itemsize, f"{name}: implicit padding"
        assert self.dtype.itemsize % multiple_bytes == 0, f"{name}: {self.dtype.itemsize} bytes"
        assert all(np.dtype(f.kind).kind in "ifS" for f in fields), f"{name}: unsigned field"

    @property
    def fingerprint(self) -> int:
        """Return 63 bits that change when any name, kind, shape or order changes."""
        text = repr((self.name, self.dtype.descr)).encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1

    @property
    def record_type(self) -> Any:
        """Return the numba type of one record."""
        return numba.from_dtype(self.dtype)

    def offset_bytes(self, field_name: str) -> int:
        """Return the offset of ``field_name`` in the record."""
        fields = self.dtype.fields
        assert fields is not None
        return int(fields[field_name][1])

    def table(self) -> str:
        """Return the record as a Markdown table."""
        rows = [f"### {self.name} ({self.dtype.itemsize} bytes)", "", self.doc, ""]
        rows += ["| offset | field | kind | meaning |", "|---:|---|---|---|"]
        for field in self.fields:
            shape = "×".join(str(size) for size in field.shape)
            kind = f"{field.kind} × {shape}" if shape else field.kind
            offset = self.offset_bytes(field.name)
            rows.append(f"| {offset} | `{field.name}` | {kind} | {field.doc} |")
        return "\n".join(rows)


def reserved(byte_count: int) -> Field:
    """Return the field that fills a record up to its size; always zero."""
    return Field("reserved", f"S{byte_count}", "zero")
