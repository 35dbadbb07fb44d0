"""A flame graph as one SVG file: width is time, the top box is the running function.

*Source:* B. Gregg, "The Flame Graph", Communications of the ACM 59(6), 2016.
"""

import zlib
from dataclasses import dataclass, field
from html import escape

WIDTH, ROW, LETTER = 1200, 18, 6.6
MARGIN = 10
#: A narrower box is not visible, and the boxes on it are not either.
PIXELS_MIN = 0.3

#: Functions from the outermost to the running one, and the number of samples.
Folded = dict[tuple[str, ...], int]


@dataclass
class Node:
    """One function at one place of the stack."""

    count: int = 0
    callees: dict[str, "Node"] = field(default_factory=dict)


def tree_of(folded: Folded) -> Node:
    """Return the samples as a tree."""
    root = Node()
    for frames, count in folded.items():
        root.count += count
        node = root
        for frame in frames:
            node = node.callees.setdefault(frame, Node())
            node.count += count
    return root


def folded_text(folded: Folded) -> str:
    """Return the samples as lines for other tools: frames with semicolons, then a count."""
    return "".join(f"{';'.join(frames)} {count}\n" for frames, count in sorted(folded.items()))


def svg(folded: Folded, title: str) -> str:
    """Return the flame graph; a box shows its function and its share under the pointer."""
    root = tree_of(folded)
    depth = max((len(frames) for frames in folded), default=0)
    height = (depth + 2) * ROW + 2 * MARGIN
    boxes: list[str] = []
    if root.count:
        scale = (WIDTH - 2 * MARGIN) / root.count
        _draw(root, MARGIN, height - MARGIN - ROW, scale, root.count, boxes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="monospace" font-size="11">\n'
        f'<rect width="100%" height="100%" fill="#fdfdfb"/>\n'
        f'<text x="{MARGIN}" y="{MARGIN + 8}">{escape(title)}</text>\n'
        + "".join(boxes)
        + "</svg>\n"
    )


def _draw(node: Node, x: float, y: float, scale: float, total: int, boxes: list[str]) -> None:
    """Draw the functions that a function called above it, side by side."""
    for name, callee in sorted(node.callees.items()):
        width = callee.count * scale
        if width >= PIXELS_MIN:
            boxes.append(_box(name, callee.count, x, y, width, total))
            _draw(callee, x, y - ROW, scale, total, boxes)
        x += width


def _box(name: str, count: int, x: float, y: float, width: float, total: int) -> str:
    letters = int((width - 6) / LETTER)
    label = name if len(name) <= letters else name[: max(letters - 1, 0)] + "…"
    shown = f'<text x="{x + 3:.1f}" y="{y + 13:.1f}">{escape(label)}</text>' if letters > 2 else ""
    # Warm colours by name: the same function looks the same everywhere.
    hue = 10 + zlib.crc32(name.encode()) % 45
    return (
        f"<g><title>{escape(name)}: {count} samples, {count / total:.1%}</title>"
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{ROW - 1}" '
        f'fill="hsl({hue} 75% 68%)"/>{shown}</g>\n'
    )
