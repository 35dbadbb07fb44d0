"""Numbers and tables as text of a given width, for terminals and for pipes."""

from collections.abc import Sequence
from decimal import Decimal
from enum import Enum
from typing import NamedTuple

E8 = Decimal(10) ** 8
FULL, EMPTY = "█", "·"


class Tone(Enum):
    """How prominent a line is."""

    PLAIN = ""
    HEAD = "bold"
    FAINT = "dim"
    GOOD = "green"
    WARN = "yellow"
    BAD = "bold red"


class Line(NamedTuple):
    """One line of a screen."""

    text: str
    tone: Tone = Tone.PLAIN


class Column(NamedTuple):
    """One column: the higher ``spare``, the sooner it is left out when there is no room."""

    title: str
    spare: int = 0
    is_text: bool = False


class TextRow(NamedTuple):
    """One row of a table."""

    cells: Sequence[str]
    tone: Tone = Tone.PLAIN


def table(columns: Sequence[Column], rows: Sequence[TextRow], width: int) -> list[Line]:
    """Return a table no wider than ``width``, the least important columns left out.

    Text is aligned left, numbers right.
    """
    cells = [[column.title for column in columns], *(list(row.cells) for row in rows)]
    sizes = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    shown = list(range(len(columns)))
    while len(shown) > 1 and sum(sizes[i] + 2 for i in shown) - 2 > width:
        worst = max(shown, key=lambda index: (columns[index].spare, index))
        shown.remove(worst)
    tones = [Tone.HEAD, *(row.tone for row in rows)]
    lines = []
    for line, tone in zip(cells, tones, strict=True):
        padded = (
            line[i].ljust(sizes[i]) if columns[i].is_text else line[i].rjust(sizes[i])
            for i in shown
        )  # fmt: skip
        lines.append(Line("  ".join(padded).rstrip(), tone))
    return fit(lines, width)


def fit(lines: Sequence[Line], width: int) -> list[Line]:
    """Cut lines that are wider than the screen, and mark the cut by an ellipsis."""
    return [
        line if len(line.text) <= width else Line(line.text[: max(width - 1, 0)] + "…", line.tone)
        for line in lines
    ]


def wrapped(words: Sequence[str], width: int, tone: Tone = Tone.PLAIN) -> list[Line]:
    """Return words two blanks apart, on as many lines as they need."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 2 + len(word) <= width:
            lines[-1] += "  " + word
        else:
            lines.append(word)
    return fit([Line(line, tone) for line in lines], width)


def count(value: float | None) -> str:
    """Return a count or a rate in four or five characters: 998, 12.3k, 4.56M."""
    if value is None:
        return "-"
    size = abs(value)
    for limit, divisor, letter in (
        (1e3, 1, ""),
        (1e6, 1e3, "k"),
        (1e9, 1e6, "M"),
        (1e12, 1e9, "G"),
    ):
        # A value that rounds to 1000 uses the next letter.
        if size < limit * 0.9995:
            scaled = value / divisor
            if not letter:
                return f"{scaled:.0f}" if size >= 10 or value == int(value) else f"{scaled:.1f}"
            return f"{scaled:.{2 if abs(scaled) < 10 else 1 if abs(scaled) < 100 else 0}f}{letter}"
    return f"{value:.1e}"


def micros(value_ns: int | None) -> str:
    """Return a latency in microseconds."""
    return "-" if value_ns is None else f"{value_ns / 1000:.1f}"


def age(value_ns: int) -> str:
    """Return an age as short text."""
    for limit, divisor, unit in ((1e6, 1e3, "us"), (1e9, 1e6, "ms"), (1e11, 1e9, "s")):
        if value_ns < limit:
            return f"{value_ns / divisor:.{1 if unit == 's' else 0}f} {unit}"
    return clock(value_ns / 1e9)


def clock(seconds: float) -> str:
    """Return a duration as hours, minutes and seconds."""
    whole = max(int(seconds), 0)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def share(value: float) -> str:
    """Return a small share of a whole, in per cent."""
    return f"{100 * value:.2f}%"


def percent(value: float | None) -> str:
    """Return a share of one."""
    return "-" if value is None else f"{100 * value:.0f}%"


def byte_size(value: int) -> str:
    """Return a size in mebibytes."""
    return f"{value / (1 << 20):.0f}M"


def bar(share: float, size: int) -> str:
    """Return a bar that is full at 1; any value above 0 shows."""
    filled = min(max(round(share * size), 1 if share > 0 else 0), size)
    return FULL * filled + EMPTY * (size - filled)


def units(number: int, unit_e8: int) -> str:
    """Return ticks or lots as a decimal, to the places of the unit."""
    exact = Decimal(number * unit_e8) / E8
    places = max(-(Decimal(unit_e8) / E8).normalize().as_tuple().exponent, 0)  # type: ignore[operator]
    return f"{exact:.{places}f}"
