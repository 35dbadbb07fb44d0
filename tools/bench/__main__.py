"""Run the benchmarks: ``python -m tools.bench``, the body of ``make bench``.

One table each for people; ``--json`` writes everything.  They are measured beside a reference in
the same run, for machines are shared and noisy.
"""

import importlib
import json
from pathlib import Path
from typing import Any

import click

from procs.machine import throttle
from tools.bench.machine import machine_line

#: Each is a module here with ``run(seconds) -> dict`` and ``lines(result) -> list[str]``.
NAMES = ("ring", "parse", "frame", "order", "log", "flood", "wire_to_wire", "observers")
SECONDS = {
    "ring": 20.0, "parse": 15.0, "frame": 8.0, "order": 10.0, "log": 5.0,
    "flood": 30.0, "wire_to_wire": 220.0, "observers": 72.0,
}  # fmt: skip


def run_one(name: str, seconds: float | None) -> dict[str, Any]:
    """Run one benchmark, print its table and return its result."""
    module = importlib.import_module(f"tools.bench.{name}")
    result: dict[str, Any] = module.run(SECONDS[name] if seconds is None else seconds)
    click.echo("\n".join([*module.lines(result), ""]))
    return result


@click.command(help=__doc__)
@click.option("--only", type=click.Choice(NAMES), help="Run one of them.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the results here.")  # fmt: skip
@click.option("--seconds", type=float, help="How long each measures; without it, its own time.")
def main(only: str | None, json_path: Path | None, seconds: float | None) -> None:
    """Run the benchmarks."""
    click.echo(f"{machine_line()}\n")
    results: dict[str, Any] = {"machine": machine_line()}
    with throttle.lifted(click.echo):
        for name in [only] if only else NAMES:
            results[name] = run_one(name, seconds)
    if json_path is not None:
        json_path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
