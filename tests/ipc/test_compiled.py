"""The cache on disk: hit by the second process, missed when anything it depends on changed."""

import os
import shutil
from pathlib import Path

import pytest
from numba.core import config as numba_config

from ipc.compiled import PLAIN_PYTHON, cached_in
from tests.ipc.processes import ROOT, Child

pytestmark = pytest.mark.skipif(PLAIN_PYTHON, reason="nothing is compiled")

INNER = """
from ipc.compiled import compiled

@compiled
def step(value: int) -> int:
    return value + {amount}
"""
OUTER = """
from numba import types
from ipc.compiled import cache_directory, cache_missed, compile_entry
from vortex.inner import step

def run(value):
    return step(value) * 100

entry = compile_entry(run, types.int64(types.int64))
print(entry(1), cache_missed(entry), cache_directory().name, flush=True)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of two files, with our ``ipc`` and the cache inside."""
    shutil.copytree(ROOT / "ipc", tmp_path / "ipc", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "vortex").mkdir()
    (tmp_path / "vortex" / "__init__.py").touch()
    (tmp_path / "vortex" / "inner.py").write_text(INNER.format(amount=1))
    (tmp_path / "vortex" / "outer.py").write_text(OUTER)
    return tmp_path


def run(project: Path, *arguments: str, **environment: str) -> tuple[str, str, str]:
    """Run the outer file in a process; return its result, whether it compiled, and the folder."""
    settings = {"PYTHONPATH": str(project), "VORTEX_CACHE_DIR": str(project / "cache")}
    program = "import runpy; runpy.run_module('vortex.outer')"
    with Child("-c", f"import os; os.chdir({str(project)!r}); {program}", *arguments, **settings,
               **environment) as child:  # fmt: skip
        result, missed, folder = child.hear()
        return result, missed, folder


def test_the_second_process_compiles_nothing(project: Path) -> None:
    first = run(project)
    assert first[:2] == ("200", "True")
    assert run(project) == ("200", "False", first[2])


def test_a_change_in_another_file_is_seen(project: Path) -> None:
    """numba alone would serve the old code: it looks only at the file of the entry."""
    inner = project / "vortex" / "inner.py"
    before = inner.stat()
    first = run(project)
    inner.write_text(INNER.format(amount=2))
    os.utime(inner, ns=(before.st_atime_ns, before.st_mtime_ns))
    second = run(project)
    assert second[:2] == ("300", "True")
    assert second[2] != first[2]


@pytest.mark.parametrize(
    ("name", "value"),
    [("NUMBA_BOUNDSCHECK", "1"), ("NUMBA_OPT", "1"), ("NUMBA_CPU_NAME", "generic")],
)
def test_an_option_of_numbas_makes_another_cache(project: Path, name: str, value: str) -> None:
    first = run(project)
    second = run(project, **{name: value})
    assert second[:2] == ("200", "True")
    assert second[2] != first[2]


ELSEWHERE = """
import os, sys
from pathlib import Path
from numba import types
from ipc import compiled

path = Path(sys.argv[1])
source = path.read_bytes()
names = {"__name__": "vortex"}  # a module that numba finds when it reads its cache
with compiled.cached_in(compiled.cache_directory_with(source)):
    exec(compile(source, str(path), "exec"), names)
step = compiled.compile_plug(names["step"], types.int64(types.int64))
print(step(1), compiled.cache_missed(step), compiled.CACHE_DIRECTORY.name, flush=True)
"""


def test_a_file_elsewhere_is_compiled_again_when_it_changes_and_nothing_else(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("elsewhere") / "strategy.py"
    (project / "vortex" / "outer.py").write_text(ELSEWHERE)
    heard = []
    for amount in (1, 1, 2, 1):
        path.write_text(INNER.format(amount=amount))
        os.utime(path, ns=(0, 0))
        heard.append(run(project, str(path)))
    assert [each[:2] for each in heard] == [
        ("2", "True"), ("2", "False"), ("3", "True"), ("2", "False")
    ]  # fmt: skip
    assert len({folder for *_, folder in heard}) == 1


def test_what_is_declared_after_a_file_elsewhere_is_kept_where_it_was(tmp_path: Path) -> None:
    before = numba_config.CACHE_DIR
    with pytest.raises(KeyError), cached_in(tmp_path):
        raise KeyError
    assert before == numba_config.CACHE_DIR
