"""A corpus read again: one line for each input, compiled or with ``NUMBA_DISABLE_JIT=1`` plain.

``python -m tools.fuzz.replay TARGET FOLDER`` prints the input's name and the result; it ends with
status 1 at the first input for which the slow reader differs.
"""

import importlib
import sys
from pathlib import Path


def main(target: str, folder: str) -> int:
    """Print what the target reads of every input in ``folder``/corpus; return the exit status."""
    module = importlib.import_module(f"tools.fuzz.{target}")
    for path in sorted(Path(folder, "corpus").iterdir()):
        data = path.read_bytes()
        difference = module.difference(data)
        if difference:
            print(f"{difference}\ninput {data!r}")
            return 1
        print(path.name, module.read(data))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
