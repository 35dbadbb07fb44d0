"""Functions called by their address: arguments, records and assertions pass."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import types
from scale import compiled_only

from ipc.compiled import compiled
from ipc.layout import Field, Layout
from ipc.memory import address_of
from ipc.plugs import Plug, call_plug, run_plug
from ipc.types import Record
from tests.ipc.plugged import fail_on_negative

ROOT = Path(__file__).resolve().parents[2]
PAIR = Layout(
    "plug_pair",
    "For this test.",
    Field("first", "i8", "a"),
    Field("second", "i8", "b"),
    multiple_bytes=8,
)
FIVE = types.int64(*[types.int64] * 5)
ON_RECORDS = types.none(PAIR.record_type, PAIR.record_type)


@compiled
def weigh(first: int, second: int, third: int, fourth: int, fifth: int) -> int:
    """Return a sum in which each argument has its own weight."""
    return first + 10 * second + 100 * third + 1_000 * fourth + 10_000 * fifth


@compiled
def weigh_backwards(first: int, second: int, third: int, fourth: int, fifth: int) -> int:
    """Return the sum with the weights turned round."""
    return weigh(fifth, fourth, third, second, first)


@compiled
def swap_into(source: Record, target: Record) -> None:
    """Write a pair the other way round."""
    target.first = source.second
    target.second = source.first


@compiled
def call_five(function_address: int, first: int) -> int:
    """Call a plug with constants among its words."""
    return call_plug(function_address, (first, 2, 3, 4, 5)) + 100_000


@compiled
def run_on(function_address: int, source_address: int, target_address: int) -> None:
    """Run a plug on two records."""
    run_plug(function_address, (source_address, target_address))


def test_the_same_loop_calls_whatever_is_plugged_in() -> None:
    forwards, backwards = Plug(weigh, FIVE), Plug(weigh_backwards, FIVE)
    assert forwards.address != backwards.address
    assert call_five(forwards.address, 1) == 154_321
    assert call_five(backwards.address, 1) == 112_345
    if hasattr(call_five, "signatures"):
        assert len(call_five.signatures) == 1, "one machine code serves all plugs"


def test_an_assertion_of_a_plug_reaches_the_caller() -> None:
    plug = Plug(fail_on_negative, FIVE)
    assert call_five(plug.address, 7) == 100_007
    with pytest.raises(AssertionError, match="negative"):
        call_five(plug.address, -1)


def test_records_are_passed_by_their_address() -> None:
    pairs = np.zeros(2, PAIR.dtype)
    pairs[0] = (3, 4)
    plug = Plug(swap_into, ON_RECORDS)
    run_on(plug.address, address_of(pairs), address_of(pairs[1:]))
    assert pairs[1].tolist() == (4, 3)
    assert pairs[0].tolist() == (3, 4)


@compiled_only("it starts plain Python itself")
def test_it_means_the_same_as_plain_python() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-k", "not plain_python", __file__]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
