"""Locks, marks and run folders of an instance."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from procs.plan import instance
from procs.plan.instance import AlreadyRunning, InstanceLock, Mark

HOLD = """
import sys, time
from procs.plan.instance import InstanceLock, Mark
lock = InstanceLock.take("held")
lock.write(Mark(7, 8, "/nowhere", 9))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the lock files of these tests in a folder of their own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def test_an_instance_is_up_as_long_as_its_lock_is_held() -> None:
    """Also for the process that holds it."""
    assert not instance.is_up("mine")
    lock = InstanceLock.take("mine")
    assert instance.is_up("mine")
    assert not instance.is_up("other")
    lock.release()
    assert not instance.is_up("mine")


def test_a_second_take_is_refused_and_says_what_to_do() -> None:
    """The message names the holder's process."""
    lock = InstanceLock.take("mine")
    lock.write(Mark(4711, 1, "/nowhere", 0))
    with pytest.raises(AlreadyRunning, match=r"pid 4711.*`vortexctl stop -n mine`"):
        InstanceLock.take("mine")
    lock.release()
    InstanceLock.take("mine").release()


def test_asking_does_not_disturb_a_take() -> None:
    """Somebody who looks whether an instance is up does not make its start fail."""
    for _ in range(200):
        assert not instance.is_up("mine")
        lock = InstanceLock.take("mine")
        assert instance.is_up("mine")
        lock.release()


def test_a_shorter_mark_leaves_nothing_of_a_longer_one() -> None:
    """The mark is what was written last; it stays when the lock is free."""
    lock = InstanceLock.take("mine")
    long, short = Mark(1, 2, "/a/long/folder", 3), Mark(4, 5, "/b", 6)
    lock.write(long)
    assert instance.read_mark("mine") == long
    assert instance.is_up_by(long)
    lock.write(short)
    assert instance.read_mark("mine") == short
    assert instance.is_up_by(short)
    assert not instance.is_up_by(long)
    lock.release()
    assert instance.read_mark("mine") == short
    assert not instance.is_up_by(short)


def test_an_unreadable_mark_is_no_mark(folder: Path) -> None:
    """A crash may leave an empty file."""
    assert instance.read_mark("mine") is None
    instance.lock_path("mine").write_text("{")
    assert instance.read_mark("mine") is None


def test_the_kernel_frees_the_lock_of_a_killed_process() -> None:
    """However its holder ends, the instance is free again."""
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True,
    ) as holder:  # fmt: skip
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            assert instance.is_up("held")
            assert instance.is_up_by(Mark(7, 8, "/nowhere", 9))
        finally:
            holder.kill()
            holder.wait()
    assert not instance.is_up("held")


def test_lock_files_are_the_owners_alone(folder: Path) -> None:
    """Neither the folder nor a lock can be touched by others."""
    InstanceLock.take("mine").release()
    assert (folder / "vortex").stat().st_mode & 0o077 == 0
    assert instance.lock_path("mine").stat().st_mode & 0o077 == 0


def test_run_folders_are_new_and_absolute(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when two runs begin within a second."""
    monkeypatch.chdir(folder)
    one = instance.new_run_folder(Path("runs"), "mine", 1)
    two = instance.new_run_folder(Path("runs"), "mine", 0xABC)
    assert one != two
    assert one.is_absolute()
    assert (one / "logs").is_dir()
    assert two.name.endswith("-00000abc")
    assert two.name.startswith(f"mine-{time.strftime('%Y%m')}")
