"""A fresh process at this terminal in which every compiled function is plain Python."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: numba's own variable; a process with it compiles nothing.
VARIABLE = "NUMBA_DISABLE_JIT"


def run_plain(arguments: Sequence[str]) -> None:
    """Run a vortexctl command in such a process and exit with its status; return if this is one.

    It shares our output, keys and terminal.  Call it before numba is imported: then the program
    starts once, not twice.
    """
    if os.environ.get(VARIABLE, "0") not in ("", "0"):
        return
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, VARIABLE: "1", "PYTHONPATH": path}
    command = [sys.executable, "-m", "procs.cli", *arguments]
    # Ctrl-C is for the process at the prompt; a handler is not inherited, unlike "ignore".
    former = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        sys.exit(subprocess.run(command, env=environment, check=False).returncode)
    finally:
        signal.signal(signal.SIGINT, former)
