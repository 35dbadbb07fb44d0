"""One target as plain Python under atheris, which follows the branches of each input.

``python -m tools.fuzz.hunt TARGET FOLDER SECONDS SEED`` with ``NUMBA_DISABLE_JIT=1``.
"""

import importlib
import sys

import atheris

from ipc.compiled import PLAIN_PYTHON

INPUT_BYTES_MAX = 2048


class Difference(Exception):
    """Two readers of the same bytes disagree."""


def main(target: str, folder: str, seconds: str, seed: str) -> None:
    """Fuzz in ``folder``/corpus until the time is over; leave a difference in ``folder``."""
    assert PLAIN_PYTHON, "nothing can be seen inside machine code"
    with atheris.instrument_imports(include=["vortex"]):
        module = importlib.import_module(f"tools.fuzz.{target}")

    def hunt(data: bytes) -> None:
        difference = module.difference(data)
        if difference:
            raise Difference(difference)

    atheris.Setup(
        [
            target,
            f"{folder}/corpus",
            f"-artifact_prefix={folder}/",
            f"-max_total_time={seconds}",
            f"-seed={seed}",
            f"-max_len={INPUT_BYTES_MAX}",
            "-timeout=30",
            "-verbosity=0",
            "-print_final_stats=1",
        ],
        hunt,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
