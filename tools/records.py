"""RECORDS.md, from the declarations: every shared record, its writer and its readers."""

import importlib
from enum import IntEnum
from pathlib import Path

from ipc.layout import Layout
from procs.plan import config
from procs.plan.wiring import Wiring, wire
from vortex import codes
from vortex.books.sync_table import SYNC_TABLE, drawing

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "configs" / "demo.toml"

HEAD = """# Records

Every record that crosses a process border, as the code declares it, and the wiring of
`configs/demo.toml`.  Written by `make docs`; do not edit.

Prices are int64 ticks and quantities int64 lots of the record's instrument.  Numbers are
little-endian and naturally aligned; the only padding is the fields named `reserved`."""

#: A record is printed in the first of these modules that holds it.
SECTIONS = {
    "On rings, in tables and between decoder and desk": ["vortex.records"],
    "The order side": ["vortex.orders.desk_tables", "vortex.orders.limits"],
    "The strategy": ["vortex.orders.quoting", "vortex.deciding.contract"],
    "Of the memory itself": [
        "ipc.segment",
        "ipc.ring",
        "ipc.clock",
        "ipc.control",
        "ipc.counters",
        "ipc.histogram",
        "ipc.meter",
        "ipc.log",
    ],
    "Of the processes": ["procs.plan.run_records"],
}


def record_sections() -> list[str]:
    """Return one section for each group of records, as Markdown."""
    parts = []
    printed: set[int] = set()
    for title, modules in SECTIONS.items():
        parts.append(f"## {title}")
        for module in map(importlib.import_module, modules):
            for value in vars(module).values():
                if isinstance(value, Layout) and id(value) not in printed:
                    printed.add(id(value))
                    parts.append(value.table())
    return parts


def wiring_sections(wiring: Wiring) -> list[str]:
    """Return the rings and the tables, with their writers and readers, as Markdown."""
    rings = ["| ring | records | slot bytes | slots | largest message | writer | reader |"]
    rings.append("|---|---|---:|---:|---:|---|---|")
    for link in wiring.links.values():
        records = ", ".join(layout.name for layout in link.spec.layouts)
        spec = link.spec
        rings.append(
            f"| `{link.name}` | {records} | {spec.slot_bytes} | {spec.capacity_count:,} "
            f"| {spec.message_count_max:,} | {link.writer} | {link.reader or 'observers'} |"
        )
    tables = ["| table | record | count | bytes | written by |", "|---|---|---:|---:|---|"]
    for table in wiring.tables.values():
        size_bytes = table.count * table.layout.dtype.itemsize
        tables.append(
            f"| `{table.name}` | {table.layout.name} | {table.count:,} | {size_bytes:,} "
            f"| {table.owner} |"
        )
    note = "All other processes read a table in place and never write it."
    return ["## Rings", "\n".join(rings), "## Tables", note, "\n".join(tables)]


def code_section() -> list[str]:
    """Return the codes that the records carry, as Markdown."""
    rows = ["| code | values |", "|---|---|"]
    for value in vars(codes).values():
        if isinstance(value, type) and issubclass(value, IntEnum) and value is not IntEnum:
            members = ", ".join(f"{int(member)} {member.name}" for member in value)
            rows.append(f"| `{value.__name__}` | {members} |")
    return ["## Codes", "\n".join(rows)]


def states_section() -> list[str]:
    """Return the states of a book, as Markdown: a drawing, and the rows that stay in a state."""
    rows = ["| state | message | then | what `sync` says |", "|---|---|---|---|"]
    for rule in SYNC_TABLE:
        rows.append(
            f"| {rule.state.name} | {rule.message.value} | {rule.then.name} | `{rule.code.name}` |"
        )
    drawn = f"```mermaid\n{drawing()}\n```"
    return ["## The states of a book", drawn, "\n".join(rows)]


def text() -> str:
    """Return RECORDS.md from the current declarations."""
    wiring = wire(config.load(CONFIG))
    parts = [HEAD, *wiring_sections(wiring), *record_sections(), *code_section(), *states_section()]
    return "\n\n".join(parts) + "\n"
