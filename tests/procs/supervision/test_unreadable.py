"""Runs that cannot be looked at: not there, another version's, another run's; one line each."""

import os

import msgspec
import pytest
from engines import Engine, new_instance

from ipc.layout import Field, Layout
from ipc.shared import SharedTable
from procs.dashboard.sample_feed import SampleFeed
from procs.plan import wiring
from procs.plan.config import Config
from procs.plan.instance import InstanceLock, Mark, launch_path
from procs.plan.launch import Launch, write_launch

WORD = Layout("word", "One word.", Field("value", "i8", "anything"), multiple_bytes=8)


@pytest.mark.parametrize("arguments", [["top"], ["attach", "book"], ["attach", "--tap", "tops"]])
def test_a_run_of_another_version_is_one_line(nowhere: Engine, arguments: list[str]) -> None:
    """Its configuration is not ours; or its records are not."""
    config = msgspec.convert(msgspec.toml.decode(nowhere.config_path.read_bytes()), Config)
    folder = nowhere.folder / "run"
    folder.mkdir(parents=True)
    mark = Mark(os.getpid(), 1, str(folder), 0)
    lock = nowhere.folder / "vortex" / f"{nowhere.name}.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.write_bytes(msgspec.json.encode(mark))
    done = nowhere.run(*arguments, "-n", nowhere.name)
    assert (done.exit_code, len(done.output.splitlines())) == (3, 1)
    launch = folder / "book.launch.json"
    launch.write_text('{"config": {"from": "tomorrow"}}')
    done = nowhere.run(*arguments, "-n", nowhere.name)
    assert (done.exit_code, len(done.output.splitlines())) == (1, 1)
    assert "another version" in done.output
    write_launch(launch, Launch(config, 1, str(folder), {"gateway": 0}, 0, [0]))
    segment_name = wiring.wire(config).segment("clock")
    table = SharedTable.create(segment_name, WORD, 1, run_id=1)
    try:
        done = nowhere.run(*arguments, "-n", nowhere.name)
        assert (done.exit_code, len(done.output.splitlines())) == (1, 1)
        assert "other declarations of word" in done.output
    finally:
        table.segment.unlink()
        table.close()


def test_status_and_jitter_report_a_running_engine_of_another_version(nowhere: Engine) -> None:
    """Its program was exchanged under it: that is no engine that just starts."""
    with nowhere.as_own_environment():
        lock = InstanceLock.take(nowhere.name)
        try:
            lock.write(Mark(os.getpid(), 1, str(nowhere.folder), 0))
            launch = launch_path(nowhere.folder, "book")
            launch.write_text('{"config": {"from": "tomorrow"}}')
            done = nowhere.run("status", "-n", nowhere.name)
            assert (done.exit_code, len(done.output.splitlines())) == (1, 1)
            assert "another version" in done.output
            done = nowhere.run("jitter", "--engine", "-n", nowhere.name)
            assert (done.exit_code, len(done.output.splitlines())) == (1, 1)
            assert "another version" in done.output
            feed = SampleFeed(nowhere.name)
            feed.sample()
            assert feed.watch is None
            assert feed.run_state == "unreadable"
            assert "another version" in feed.note
        finally:
            lock.release()


def test_what_another_run_left_is_no_news_of_one_that_just_starts(nowhere: Engine) -> None:
    """Its launch files are there before its memory is; what a dead run left may be in its place."""
    config = msgspec.convert(msgspec.toml.decode(nowhere.config_path.read_bytes()), Config)
    with nowhere.as_own_environment():
        lock = InstanceLock.take(nowhere.name)
        table = SharedTable.create(wiring.wire(config).segment("clock"), WORD, 1, run_id=2)
        try:
            lock.write(Mark(os.getpid(), 1, str(nowhere.folder), 0))
            launch = Launch(config, 1, str(nowhere.folder), {"gateway": 0}, 0, [0])
            write_launch(launch_path(nowhere.folder, "book"), launch)
            done = nowhere.run("status", "-n", nowhere.name)
            assert (done.exit_code, len(done.output.splitlines())) == (1, 1)
            assert "just starting" in done.output
        finally:
            table.segment.unlink()
            table.close()
            lock.release()


@pytest.mark.parametrize("arguments", [["top"], ["attach", "book"], ["attach", "--tap", "tops"]])
def test_a_run_that_is_not_there_is_one_line_and_status_3(
    nowhere: Engine, arguments: list[str]
) -> None:
    done = nowhere.run(*arguments, "-n", new_instance())
    assert (done.exit_code, len(done.output.splitlines())) == (3, 1)
