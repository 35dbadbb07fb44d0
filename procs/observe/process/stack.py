"""The stacks of a stage's threads, read from outside without stopping it.

The main thread is Python's; py-spy reads its frames from memory.  The hot thread is machine code:
while it is in a system call, the kernel shows where its stack is.  The words on it that point into
compiled functions are its callers, the newest first (some may be left from calls that returned).
"""

import os
import shutil
import struct
import subprocess
import sys
from bisect import bisect_right
from itertools import groupby
from pathlib import Path

from procs.observe.process.symbols import CodeSymbol, NoSymbols, compiled_functions

COST = (
    "reads the process's memory from outside, like a debugger, without stopping it: it costs the "
    "stage nothing"
)
STACK_BYTES = 8_192
TRY_COUNT = 2_000


def python_stacks(pid: int) -> list[str]:
    """Return the Python stacks of all threads, or one line with the reason for none."""
    beside = Path(sys.executable).with_name("py-spy")
    py_spy = str(beside) if beside.exists() else shutil.which("py-spy")
    if py_spy is None:
        return ["Python stacks need py-spy: pip install 'vortex-mm[top]'"]
    done = subprocess.run(
        [py_spy, "dump", "--nonblocking", "--pid", str(pid)],
        capture_output=True, check=False, encoding="utf-8",
    )  # fmt: skip
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        return [f"py-spy: {lines[-1].strip() if lines else 'said nothing'}"]
    return done.stdout.splitlines()


def hot_stack(pid: int, thread_id: int) -> list[str]:
    """Return the compiled functions on the hot thread's stack, the innermost first."""
    try:
        symbols = compiled_functions(pid)
        words = _stack_words(pid, thread_id)
    except NoSymbols as error:
        return [str(error)]
    except OSError as error:
        return [f"the stack cannot be read: {error.strerror}"]
    if words is None:
        return ["it runs compiled code without a system call; --profile shows where"]
    names = [name for name, _ in groupby(names_on(words, symbols))]
    return names or ["no compiled function is on its stack"]


def _stack_words(pid: int, thread_id: int) -> tuple[int, ...] | None:
    """Return the words on a thread's stack; None when it was never seen in a system call."""
    path = f"/proc/{pid}/task/{thread_id}/syscall"
    for _ in range(TRY_COUNT):
        fields = Path(path).read_text(encoding="utf-8").split()
        if len(fields) < 3:
            continue  # "running"
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            raw = os.pread(memory.fileno(), STACK_BYTES, int(fields[-2], 16))
        return struct.unpack(f"<{len(raw) // 8}Q", raw[: len(raw) // 8 * 8])
    return None


def names_on(words: tuple[int, ...], symbols: list[CodeSymbol]) -> list[str]:
    """Return the compiled functions that words of a stack point into, in their order."""
    starts = [symbol.address for symbol in symbols]
    found = []
    for word in words:
        index = bisect_right(starts, word) - 1
        # A return address is never the first byte of a function.
        if index >= 0 and 0 < word - symbols[index].address < symbols[index].size:
            found.append(symbols[index].name)
    return found
