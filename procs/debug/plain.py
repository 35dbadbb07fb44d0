"""A fresh process in which every compiled function is plain Python, at this terminal."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: numba's own; a process that has it compiles nothing.
VARIABLE = "NUMBA_DISABLE_JIT"


def run_plain(arguments: Sequence[str]) -> None:
    """Run a vortexctl command in such a process, and exit as it does; return when this is one.

    Its output, its keys and its terminal are ours.  Called before numba is imported, it costs one
    start and not two.
    """
    if os.environ.get(VARIABLE, "0") not in ("", "0"):
        return
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, VARIABLE: "1", "PYTHONPATH": path}
    command = [sys.executable, "-m", "procs.cli", *arguments]
    # Ctrl-C is for the process at the prompt; a handler, unlike "ignore", is not inherited.
    former = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        sys.exit(subprocess.run(command, env=environment, check=False).returncode)
    finally:
        signal.signal(signal.SIGINT, former)
