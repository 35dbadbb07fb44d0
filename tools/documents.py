"""Writes the documents that the code declares: records, configuration, the life of an order.

They are always printed from the code, so they cannot differ from it; ``--check`` fails when a file
is stale.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from tools import order_life, records, settings

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Document:
    """A file and its text."""

    path: Path
    text: Callable[[], str]

    @property
    def is_stale(self) -> bool:
        """Whether the file is missing, or has another text."""
        return not self.path.is_file() or self.path.read_text(encoding="utf-8") != self.text()


DOCUMENTS = [
    Document(ROOT / "RECORDS.md", records.text),
    Document(ROOT / "docs" / "configuration.md", settings.text),
    Document(ROOT / "docs" / "order_life.md", order_life.text),
]


@click.command(help=__doc__)
@click.option("--check", is_flag=True, help="Write nothing; fail when a file is stale.")
def main(check: bool) -> None:
    """Write the documents, or check that they match the code."""
    if not check:
        for document in DOCUMENTS:
            document.path.write_text(document.text(), encoding="utf-8")
        return
    stale = [document.path.name for document in DOCUMENTS if document.is_stale]
    if stale:
        sys.exit(f"stale, differs from the code: {', '.join(stale)}; run make docs")


if __name__ == "__main__":
    main()
