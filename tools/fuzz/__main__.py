"""Coverage-guided fuzzing of framing, scanner and market decoder, against slow readers.

``python -m tools.fuzz --seconds 60 --seed 1``, the body of ``make fuzz``.  Each target runs as
plain Python, whose branches can be followed, for its part of the time.  The inputs that the fuzzer
kept are then read again compiled, and must give the same result.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tools.fuzz import bybit_market, framing, market, scanner

ROOT = Path(__file__).resolve().parents[2]
TARGETS = {"framing": framing, "scanner": scanner, "market": market, "bybit_market": bybit_market}
SHOWN_STATS = ("number_of_executed_units", "new_units_added")


def run(module: str, *arguments: str, plain: bool) -> "subprocess.CompletedProcess[str]":
    """Run one module of the fuzzer, compiled or plain."""
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1" if plain else "0"}
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT, env=environment, capture_output=True, check=False,
        encoding="utf-8", errors="replace",
    )  # fmt: skip


def hunt(target: str, folder: Path, seconds: int, seed: int) -> str:
    """Fuzz one target; return the difference found, or ""."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True)
    for number, data in enumerate(TARGETS[target].seeds()):
        (corpus / f"seed{number}").write_bytes(data)
    done = run("tools.fuzz.hunt", target, str(folder), str(seconds), str(seed), plain=True)
    for line in done.stderr.splitlines():
        if any(name in line for name in SHOWN_STATS):
            print(f"  {line.removeprefix('stat::')}")
    found = [path for path in sorted(folder.iterdir()) if path.is_file()]
    if not found and done.returncode == 0:
        return ""
    inputs = "\n".join(f"input {path.read_bytes()!r}" for path in found)
    said = [line for line in done.stdout.splitlines() + done.stderr.splitlines() if line.strip()]
    about = [line for line in said if line.startswith("Difference:") or "Error:" in line] or said[
        -20:
    ]
    return "\n".join([*dict.fromkeys(about), inputs])


def replay(target: str, folder: Path) -> str:
    """Read the corpus compiled and plain; return how they differ, or ""."""
    compiled = run("tools.fuzz.replay", target, str(folder), plain=False)
    plain = run("tools.fuzz.replay", target, str(folder), plain=True)
    lines = compiled.stdout.splitlines()
    if compiled.returncode != 0:
        return "\n".join(["compiled:", *(lines[-2:] if lines else []), compiled.stderr])
    if plain.returncode != 0:
        return "\n".join(["plain:", *plain.stdout.splitlines()[-2:], plain.stderr])
    for ours, theirs in zip(lines, plain.stdout.splitlines(), strict=True):
        if ours != theirs:
            data = (folder / "corpus" / ours.split()[0]).read_bytes()
            return f"compiled {ours}\nplain    {theirs}\ninput {data!r}"
    print(f"  {len(lines)} inputs read the same compiled")
    return ""


@click.command()
@click.option("--seconds", default=60, show_default=True, help="for all targets together")
@click.option("--seed", default=1, show_default=True)
def main(seconds: int, seed: int) -> None:
    """Fuzz every target; exit 1 at the first difference, with the input that shows it."""
    if importlib.util.find_spec("atheris") is None:
        raise click.ClickException("atheris is not installed: pip has none for this Python")
    for target in TARGETS:
        print(f"{target}: {max(1, seconds // len(TARGETS))} s, seed {seed}", flush=True)
        with TemporaryDirectory() as name:
            folder = Path(name)
            share = max(1, seconds // len(TARGETS))
            wrong = hunt(target, folder, share, seed) or replay(target, folder)
        if wrong:
            raise click.ClickException(f"{target}, seed {seed}:\n{wrong}")


if __name__ == "__main__":
    main()
