"""The encoding of text: UTF-8 in files and pipes, whatever the locale; on a terminal, its own."""

import io
import os
import sys
from collections.abc import Mapping


def utf8_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a child that writes UTF-8 to its files and pipes.

    ``environment`` is the environment to begin with; by default this process's.
    """
    chosen = os.environ if environment is None else environment
    return {**chosen, "PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8"}


def accept_terminal() -> None:
    """Print ``?`` for each character that the terminal's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
