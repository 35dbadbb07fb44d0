"""What the supervisor hands to a stage, as one file."""

from pathlib import Path

import msgspec

from procs.plan.config import Config


class Launch(msgspec.Struct, frozen=True):
    """What the supervisor hands to a stage: the checked configuration and its run."""

    config: Config
    run_id: int
    run_folder: str
    cpu_indexes: dict[str, int]  # the CPU of each stage's hot thread
    wait: int
    housekeeping_cpus: list[int]


def read_launch(path: Path) -> Launch:
    """Return what the supervisor wrote for a stage."""
    return msgspec.json.decode(path.read_bytes(), type=Launch)


def write_launch(path: Path, launch: Launch) -> None:
    """Write what ``read_launch`` reads, at once; it holds no secrets."""
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(launch), indent=1))
    unfinished.replace(path)
