"""The launch file: what the supervisor hands to a stage."""

from pathlib import Path

import msgspec

from procs.plan.config import Config


class Launch(msgspec.Struct, frozen=True):
    """The launch of a stage: the checked configuration and its run."""

    config: Config
    run_id: int
    run_folder: str
    cpu_indexes: dict[str, int]  # the CPU of each stage's hot thread
    wait: int
    housekeeping_cpus: list[int]


def read_launch(path: Path) -> Launch:
    """Return the launch of a stage from its file."""
    return msgspec.json.decode(path.read_bytes(), type=Launch)


def write_launch(path: Path, launch: Launch) -> None:
    """Write the launch file atomically; it holds no secrets."""
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(launch), indent=1))
    unfinished.replace(path)
