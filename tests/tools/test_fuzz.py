"""The fuzzer notices a wrong reader, and says so when it cannot run."""

import importlib.util
from typing import Any

import pytest
from click.testing import CliRunner

from tools.fuzz import __main__ as fuzz
from tools.fuzz import framing, market, scanner
from vortex.codes import Refusal
from vortex.wire.websocket import Incoming


@pytest.mark.parametrize("target", fuzz.TARGETS.values(), ids=fuzz.TARGETS.keys())
def test_what_a_hunt_begins_with_shows_no_difference(target: Any) -> None:
    seeds = target.seeds()
    assert len(set(seeds)) == len(seeds) > 5
    assert [target.difference(data) for data in seeds] == [""] * len(seeds)


@pytest.mark.parametrize(
    ("target", "wrong"),
    [
        (framing, []),
        (framing, [(Incoming.TEXT, b"another")]),
        (framing, [(Incoming.FAILED, 1002)]),
        (scanner, (False, (0, 0), (0, 0), (0, 0))),
        (market, Refusal.NOT_JSON),
        (market, ("another record",)),
    ],
)
def test_a_reader_that_is_wrong_is_noticed(
    target: Any, wrong: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = target.seeds()[0]
    monkeypatch.setattr(target, "read", lambda data: wrong)
    assert target.difference(data)


def test_without_atheris_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    result = CliRunner().invoke(fuzz.main)
    assert result.exit_code == 1
    assert "atheris" in result.output
    assert result.output.count("\n") == 1
