"""The cache on disk: hit by the second process, missed when anything it depends on changed."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from scale import compiled_only

from ipc import code_cache
from tests.ipc.processes import ROOT

pytestmark = compiled_only("it is about the compiler")

INNER = """
from ipc.compiled import compiled

@compiled
def step(value: int) -> int:
    return value + {amount}  # Ünïcode: 交易
"""
OTHER = """
from ipc.compiled import compiled

@compiled
def double(value: int) -> int:
    return 2 * value
"""
OUTER = """
from numba import types
from ipc.compiled import cache_missed, compile_entry
from vortex.inner import step
from vortex.other import double

def run(value):
    return double(step(value)) * 50

entry = compile_entry(run, types.int64(types.int64))
print(entry(1), cache_missed(entry), flush=True)
double(3)
print(cache_missed(double), flush=True)
"""


class Said(NamedTuple):
    """What the outer file said: its result, whether it compiled, and whether ``double`` did."""

    result: int
    missed: bool
    other_missed: bool
    errors: str


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of three files, with our ``ipc``, and the cache beside it."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "ipc", folder / "ipc", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "vortex").mkdir()
    (folder / "vortex" / "__init__.py").touch()
    (folder / "vortex" / "inner.py").write_text(INNER.format(amount=1), "utf-8")
    (folder / "vortex" / "other.py").write_text(OTHER)
    (folder / "vortex" / "outer.py").write_text(OUTER)
    return folder


def run_program(project: Path, *arguments: str, **environment: str) -> tuple[list[str], str]:
    """Run the outer file in a process; return the words and the errors that it wrote."""
    settings = {"PYTHONPATH": str(project), "VORTEX_CACHE_DIR": str(project.parent / "cache")}
    program = "import vortex.outer"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=project,
        env={**os.environ, **settings, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr


def run(project: Path, **environment: str) -> Said:
    (result, missed, other_missed), errors = run_program(project, **environment)
    return Said(int(result), missed == "True", other_missed == "True", errors)


def edit(project: Path, amount: int) -> None:
    """Change the inner file in a way that its size and times do not show."""
    inner = project / "vortex" / "inner.py"
    before = inner.stat()
    inner.write_text(INNER.format(amount=amount), "utf-8")
    os.utime(inner, ns=(before.st_atime_ns, before.st_mtime_ns))


def kept_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix in (".nbc", ".nbi")]


def kept_of(project: Path, name: str) -> list[Path]:
    """Return the files with machine code of one function."""
    return [path for path in kept_files(project.parent) if f".{name}-" in path.name]


def test_the_second_process_compiles_nothing(project: Path) -> None:
    assert run(project)[:3] == (200, True, True)
    assert run(project)[:3] == (200, False, False)


def test_an_edit_compiles_again_what_imports_the_file_and_nothing_else(project: Path) -> None:
    """numba alone would serve the old code: it looks only at the file of the entry."""
    run(project)
    before = set(kept_files(project.parent / "cache"))
    edit(project, 2)
    assert run(project)[:3] == (300, True, False)
    made = {
        path.name.partition("-")[0] for path in set(kept_files(project.parent / "cache")) - before
    }
    assert made == {"inner.step", "outer.run"}
    edit(project, 1)
    assert run(project)[:3] == (200, False, False)


def test_an_edit_of_what_is_imported_indirectly_is_seen(project: Path) -> None:
    (project / "vortex" / "between.py").write_text("from vortex.inner import step as step\n")
    outer = project / "vortex" / "outer.py"
    outer.write_text(outer.read_text().replace("vortex.inner", "vortex.between"))
    assert run(project)[:2] == (200, True)
    edit(project, 2)
    assert run(project)[:2] == (300, True)


def test_an_edit_of_what_is_called_and_not_imported_is_seen(project: Path) -> None:
    """Of a module that is found by its name no file says that it is imported."""
    outer = project / "vortex" / "outer.py"
    by_name = "import importlib\nstep = importlib.import_module('vortex' + '.inner').step"
    outer.write_text(outer.read_text().replace("from vortex.inner import step", by_name))
    assert run(project)[:2] == (200, True)
    assert run(project)[:2] == (200, False)
    edit(project, 2)
    assert run(project)[:2] == (300, True)


def test_what_was_edited_while_it_was_compiled_is_not_kept(project: Path) -> None:
    """The folder is named after the source as it was read; the code may be of another."""
    outer = project / "vortex" / "outer.py"
    touch = "from pathlib import Path\nPath('vortex/inner.py').touch()\n\ndef run(value):"
    outer.write_text(outer.read_text().replace("def run(value):", touch))
    assert run(project)[:2] == (200, True)
    assert not [path for path in kept_files(project.parent / "cache") if "inner.step" in path.name]
    assert run(project)[:2] == (200, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [("NUMBA_BOUNDSCHECK", "1"), ("NUMBA_OPT", "1"), ("NUMBA_CPU_NAME", "generic")],
)
def test_an_option_of_numbas_makes_another_cache(project: Path, name: str, value: str) -> None:
    run(project)
    assert run(project, **{name: value})[:2] == (200, True)
    assert run(project)[:2] == (200, False)


def test_sources_are_utf_8_whatever_the_locale(project: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert run(project, **ascii_only)[:2] == (200, True)
    assert run(project)[:2] == (200, False)


# Where it is kept.


def test_numba_s_own_folder_is_not_used(project: Path, tmp_path: Path) -> None:
    beside = project / "vortex" / "__pycache__"
    assert run(project, NUMBA_CACHE_DIR=str(beside))[:2] == (200, True)
    assert run(project)[:2] == (200, False)
    assert not kept_files(project)


def test_another_folder_takes_the_place_of_one_that_cannot_be_written(
    project: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    wanted = str(tmp_path / "file" / "cache")
    settings = {"VORTEX_CACHE_DIR": wanted, "TMPDIR": str(tmp_path)}
    first = run(project, **settings)
    assert first[:2] == (200, True)
    assert wanted in first.errors
    spare = tmp_path / f"vortex-cache-{os.getuid()}"
    assert str(spare) in first.errors
    assert stat.S_IMODE(spare.stat().st_mode) == 0o700
    assert run(project, **settings)[:2] == (200, False)
    edit(project, 2)
    assert run(project, **settings)[:2] == (300, True)
    assert not kept_files(project)


@pytest.mark.parametrize("trap", ["a link", "open to others"])
def test_a_folder_that_others_can_write_is_never_used(
    project: Path, tmp_path: Path, trap: str
) -> None:
    """What lies in it is run.  Then nothing is kept, this is said, and the code is right."""
    (tmp_path / "file").touch()
    spare = tmp_path / f"vortex-cache-{os.getuid()}"
    if trap == "a link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        spare.symlink_to(tmp_path / "elsewhere")
    else:
        spare.mkdir()
        spare.chmod(0o777)
    settings = {"VORTEX_CACHE_DIR": str(tmp_path / "file" / "cache"), "TMPDIR": str(tmp_path)}
    for amount in (1, 2):
        edit(project, amount)
        said = run(project, **settings)
        assert said[:2] == (100 * (amount + 1), True)
        assert "set VORTEX_CACHE_DIR to a folder that can be written" in said.errors
    assert not kept_files(tmp_path)


def test_folders_that_nobody_used_for_long_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_cache, "CACHE_DIRECTORY", tmp_path)
    monkeypatch.setattr(code_cache, "KEPT_BYTES_MAX", 250)
    now_s, day_s = 1e9, 86400
    ages_s = {
        "a": 0,
        "b": 1800,
        "c": 2 * day_s,
        "d": 3 * day_s,
        "e": 15 * day_s,
        "notes": 99 * day_s,
    }
    for name, age_s in ages_s.items():
        folder = tmp_path / (name if name == "notes" else name * 16)
        folder.mkdir()
        (folder / "file").write_bytes(bytes(100))
        os.utime(folder, (now_s - age_s, now_s - age_s))
    # The newest two are in use; of the others there is too much, or they are too old.
    removed = [folder.name[0] for folder in code_cache.prune(now_s)]
    assert removed == ["c", "d", "e"]
    assert sorted(folder.name[0] for folder in tmp_path.iterdir()) == ["a", "b", "n"]


def test_a_disk_that_takes_no_more_is_said_once_and_the_code_is_right(project: Path) -> None:
    outer = project / "vortex" / "outer.py"
    no_room = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
    outer.write_text(no_room + outer.read_text())
    for amount in (1, 2):
        edit(project, amount)
        said = run(project)
        assert said[:2] == (100 * (amount + 1), True)
        assert said.errors.count("can be kept") == 1
        assert "File too large" in said.errors
    assert not [path for path in (project.parent / "cache").rglob("*") if path.is_file()]


# Files outside the project.

ELSEWHERE = """
import sys
from pathlib import Path
from numba import types
from ipc import compiled

path = Path(sys.argv[1])
source = path.read_bytes()
names = {"__name__": "vortex"}  # a module that is there when the cache is read
with compiled.cached_in(compiled.folder_for(source)):
    exec(compile(source, str(path), "exec"), names)
step = compiled.compile_plug(names["step"], types.int64(types.int64))
print(step(1), compiled.cache_missed(step), flush=True)
"""


RECORDS = """
import numpy as np
from ipc.compiled import compiled
from ipc.memory import record_at

PAIR = np.dtype([("first", "i8"), ("second", "i8")])

@compiled
def difference(pair) -> int:
    return pair.first - pair.second  # inner code of its own, whatever LLVM inlines

@compiled
def warm(address: int) -> int:
    return difference(record_at(address, PAIR))
"""
CALLS_RECORDS = """
import sys
import numpy as np
from numba import types
from ipc.compiled import compiled
from ipc.memory import record_at
from vortex.inner import PAIR, difference, warm

for count in range(int(sys.argv[2])):
    types.Record.make_c_struct([(f"field_{count}", types.int64)])

@compiled
def twice(address: int) -> int:
    return 2 * difference(record_at(address, PAIR))

pair = np.array([(7, 4)], PAIR)
print({"warm": warm, "twice": twice}[sys.argv[1]](pair.ctypes.data), flush=True)
"""


def test_two_processes_name_a_function_of_a_record_alike(project: Path) -> None:
    """However many types of records each made before, which numba numbers.

    Both compile what the other calls, as the workers of a cold start do: what is kept last must fit
    the callers of the first.
    """
    (project / "vortex" / "inner.py").write_text(RECORDS, encoding="utf-8")
    (project / "vortex" / "outer.py").write_text(CALLS_RECORDS, encoding="utf-8")
    assert run_program(project, "warm", "0")[0] == ["3"]
    for path in kept_of(project, "difference"):
        path.unlink()
    assert run_program(project, "twice", "70")[0] == ["6"]
    for path in kept_of(project, "warm"):
        if ".code." in path.name:
            path.unlink()
    assert run_program(project, "warm", "0")[0] == ["3"]


def test_a_file_elsewhere_is_compiled_again_when_it_changes_and_nothing_else(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("elsewhere") / "strategy.py"
    (project / "vortex" / "outer.py").write_text(ELSEWHERE)
    heard = []
    for amount in (1, 1, 2, 1):
        path.write_text(INNER.format(amount=amount), "utf-8")
        os.utime(path, ns=(0, 0))
        heard.append(run_program(project, str(path))[0])
    assert heard == [["2", "True"], ["2", "False"], ["3", "True"], ["2", "False"]]


def test_an_edit_of_what_a_file_elsewhere_imports_is_seen(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("elsewhere") / "strategy.py"
    path.write_text("from vortex.inner import step\n")
    (project / "vortex" / "outer.py").write_text(ELSEWHERE)
    assert run_program(project, str(path))[0] == ["2", "True"]
    edit(project, 2)
    assert run_program(project, str(path))[0] == ["3", "True"]
    assert run_program(project, str(path))[0] == ["3", "False"]
