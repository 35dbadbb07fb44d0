"""The names of compiled functions from outside, and the graphs that are made with them."""

import contextlib
import os
import shutil
import struct
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc import control
from ipc.memory import address_of
from procs.observe.process import flame, profile, stack, symbols


def test_compiled_functions_are_found_by_name_in_a_process() -> None:
    """This one: the address that numba gives out lies at the start of the one that we name."""
    if os.environ.get("NUMBA_DISABLE_JIT") == "1":
        pytest.skip("nothing is compiled")
    control.get_state(address_of(np.zeros(8, np.int64)))
    compiled: Any = control.get_state
    (kind,) = compiled.overloads.values()
    parts = kind._asdict()
    address = parts["library"].get_pointer_to_function(parts["fndesc"].llvm_func_name)
    found = {symbol.address: symbol.name for symbol in symbols.compiled_functions(os.getpid())}
    assert found[address] == "ipc.control.get_state"


def test_a_process_without_compiled_code_has_no_names() -> None:
    """Process 1, or one that is not there: a clear refusal."""
    for pid in (1, 1 << 22):
        with pytest.raises(symbols.NoSymbols):
            symbols.compiled_functions(pid)


@given(st.binary(max_size=300))
def test_an_image_of_any_bytes_is_read_or_refused(raw: bytes) -> None:
    """Memory that another process changes while it is read may hold anything."""
    with contextlib.suppress(ValueError, struct.error):
        list(symbols.functions_of_image(b"\x7fELF" + raw))


@pytest.mark.parametrize(
    ("mangled", "plain"),
    [
        ("_ZN5procs7gateway4turnB3v12B8c8tJTIeE", "procs.gateway.turn"),
        ("_ZN7cpython5procs7gateway4loopB2v1E", "cpython.procs.gateway.loop"),
        ("cfunc._ZN3ipc4ring5claimB2v1E", "cfunc.ipc.ring.claim"),
        ("memcpy", "memcpy"),
    ],
)
def test_names_are_read_as_the_abi_writes_them(mangled: str, plain: str) -> None:
    assert symbols.plain_name(mangled) == plain


def test_a_map_for_perf_follows_no_link(tmp_path: Path) -> None:
    """The link is replaced, and its target is not touched."""
    target = tmp_path / "precious"
    target.write_text("mine")
    path = tmp_path / "perf-1.map"
    path.symlink_to(target)
    symbols.write_perf_map([symbols.CodeSymbol(0x1000, 0x20, "a.b")], path)
    assert target.read_text() == "mine"
    assert path.read_text() == "1000 20 a.b\n"


SCRIPT = """
\t    1010 [unknown] (/tmp/perf-1.map)
\t    2222 main+0x12
\t    dead [unknown]

\t    1050 [unknown]

\tffffff00 schedule+0x3
\t    1011 [unknown]
"""


def test_stacks_are_folded_from_the_outside_in() -> None:
    """Names of compiled functions come from the map, what is astray at the root is left out."""
    known = [symbols.CodeSymbol(0x1000, 0x20, "hot.loop")]
    folded = profile.fold(SCRIPT, known)
    assert folded == {
        ("main", "hot.loop"): 1,
        ("[unknown]",): 1,
        ("hot.loop", "schedule"): 1,
    }
    assert stack.names_on((0, 0x1000, 0x1001, 0x101F, 0x1020), known) == ["hot.loop"] * 2


@given(
    st.dictionaries(
        st.lists(st.sampled_from("abc<&"), min_size=1, max_size=5).map(tuple),
        st.integers(1, 50),
        max_size=8,
    )
)
def test_a_flame_graph_is_wide_where_time_went(folded: dict[tuple[str, ...], int]) -> None:
    """It is an XML document; the boxes of the lowest row share the width by their samples."""
    root = ElementTree.fromstring(flame.svg(folded, "a <title> & more"))
    space = "{http://www.w3.org/2000/svg}"
    boxes = [(g.find(f"{space}title").text, g.find(f"{space}rect")) for g in root.iter(f"{space}g")]  # type: ignore[union-attr]
    total = sum(folded.values())
    lowest = max((float(box.get("y")) for _, box in boxes), default=0.0)
    widths: dict[str, float] = {}
    for title, box in boxes:
        if float(box.get("y")) == lowest:
            widths[title.split(":")[0]] = float(box.get("width"))
    shares: dict[str, int] = {}
    for frames, count in folded.items():
        shares[frames[0]] = shares.get(frames[0], 0) + count
    scale = flame.WIDTH - 2 * flame.MARGIN
    assert widths == {
        name: pytest.approx(count / total * scale, abs=0.06) for name, count in shares.items()
    }


def test_perf_is_missed_with_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And gdb likewise: what to install."""
    from procs.observe.process import debugger

    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(profile.NoProfile, match="apt install"):
        profile.record(1, 1, 0.1, tmp_path, "x")
    with pytest.raises(debugger.NoDebugger, match="apt install"):
        debugger.run(1, 1)
