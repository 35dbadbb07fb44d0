"""``vortexctl attach --tap``: print the records of a ring as they pass."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from procs.observe.samples.view import RunView
from procs.observe.taps import decode
from procs.observe.taps.tap import Copy, Tap
from procs.observe.taps.where import Test
from procs.observe.watch import is_over

#: The wait after an empty read of the ring.
LOOK_S = 0.002
#: The interval at which the tap checks whether a writer can still exist.
LIFE_S = 0.2


class Tapping:
    """One tap on one ring: which records it prints, how many, and the counts of the rest."""

    def __init__(
        self, view: RunView, ring_name: str, passes: Test | None, count_max: int | None, *,
        as_json: bool,
    ) -> None:  # fmt: skip
        self.view = view
        self.ring_name = ring_name
        self.spec = view.rings[ring_name].spec
        self.passes = passes
        self.count_max = count_max
        self.as_json = as_json
        self.seen_count = 0
        self.shown_count = 0
        self.unknown_count = 0
        self.is_over = is_over(view)
        # The records in the ring of a dead writer are all that there will be.
        self.tap = Tap(view.rings[ring_name], from_oldest=self.is_over)

    def is_done(self) -> bool:
        """Return whether the requested number of records was shown."""
        return self.count_max is not None and self.shown_count >= self.count_max

    def run(self, out: IO[str]) -> None:
        """Print until enough records were shown, or the run is over and all were read."""
        next_life_s = time.monotonic() + LIFE_S
        if self.is_over:
            self.show_leftover(out)
            return
        while not self.is_done():
            lost_count = self.tap.lost_count
            copies = self.tap.copy()
            if self.tap.lost_count != lost_count:
                self.print_lost(self.tap.lost_count - lost_count, out)
            self.show(copies, out)
            out.flush()
            if copies:
                continue
            if self.is_over:
                return
            if time.monotonic() > next_life_s:
                self.is_over = is_over(
                    self.view
                )  # one more iteration, to read the last records too
                next_life_s = time.monotonic() + LIFE_S
            time.sleep(LOOK_S)

    def show_leftover(self, out: IO[str]) -> None:
        """Print the records that are left in a dead ring; the newest ones when limited."""
        lines = []
        while copies := self.tap.copy():
            lines += [line for line in map(self.line_of, copies) if line is not None]
        newest = lines if self.count_max is None else lines[max(len(lines) - self.count_max, 0) :]
        out.writelines(newest)
        out.flush()
        self.shown_count = len(newest)

    def show(self, copies: list[Copy], out: IO[str]) -> None:
        """Print the records of a batch that pass the filter."""
        lines = []
        for copy in copies:
            if self.is_done():
                break
            line = self.line_of(copy)
            if line is not None:
                lines.append(line)
                self.shown_count += 1
        out.write("".join(lines))

    def line_of(self, copy: Copy) -> str | None:
        """Return a record as a line, or None when the filter excludes it."""
        self.seen_count += 1
        layout = decode.layout_of(self.spec, copy.raw)
        if layout is None:
            self.unknown_count += 1
            return None
        fields = decode.with_symbol(decode.fields_of(layout, copy.raw), self.view.config.symbols)
        if self.passes is not None and not self.passes(fields):
            return None
        if not self.as_json:
            return decode.one_line(copy.seq, layout, fields) + "\n"
        return decode.json_line(self.ring_name, copy.seq, layout, fields)

    def print_lost(self, count: int, out: IO[str]) -> None:
        """Print, in their place, that records passed unread."""
        if self.as_json:
            line = {"schema": decode.LINE_SCHEMA, "ring": self.ring_name, "lost": count}
            out.write(msgspec.json.encode(line).decode() + "\n")
        else:
            out.write(f"-- {count} records passed unseen: this tap could not keep up --\n")

    def summary(self) -> str:
        """Return the counts of the tap."""
        words = [
            f"{self.ring_name}: {self.seen_count} records seen, {self.shown_count} shown, "
            f"{self.tap.lost_count} lost"
        ]
        if self.unknown_count:
            words.append(f"{self.unknown_count} of an unknown kind")
        if self.is_over:
            words.append("it has no writer any more")
        return ", ".join(words)


def field_names(view: RunView, ring_name: str) -> set[str]:
    """Return the names of fields for ``--where`` on a ring."""
    layouts = view.rings[ring_name].spec.layouts
    names = {field.name for layout in layouts for field in layout.fields}
    if "instrument_id" in names:
        names.add("symbol")
    return names - set(decode.HIDDEN)


@contextmanager
def output(path: Path | None) -> Iterator[IO[str]]:
    """Yield the output for the lines."""
    if path is None:
        yield sys.stdout
        return
    with path.open("w", encoding="utf-8") as file:
        yield file
