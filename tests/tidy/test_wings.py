"""Each package's map names every module of it, and modules import only from those above them."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest
from sources import PACKAGES, ROOT, module_name, modules_of, parsed

#: Packages whose files are found by name: a strategy is a file, a venue is a folder.
FOUND_BY_NAME = {"vortex.strategies", "vortex.venues"}
#: File names that several packages have, with the same meaning in each.
SHARED_FILE_NAMES = {
    "__init__": "the map of its package",
    "__main__": "what `python -m` runs",
    "errors": "what its package raises",
    "contract": "what a file found by name is held to",
}
ENTRY = re.compile(r"^([a-z_]\w*)  +\S")


def packages() -> list[Path]:
    """Return the folders of all packages."""
    return sorted(path.parent for floor in PACKAGES for path in modules_of(floor) if is_map(path))


def is_map(path: Path) -> bool:
    return path.name == "__init__.py"


def members_of(folder: Path) -> set[str]:
    """Return what a package holds: its modules and its packages."""
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "__main__"}
    return modules | {path.parent.name for path in folder.glob("*/__init__.py")}


def map_of(folder: Path) -> list[str]:
    """Return the names in a package's map, from the top."""
    text = ast.get_docstring(parsed(folder / "__init__.py")) or ""
    return [match[1] for line in text.splitlines() if (match := ENTRY.match(line))]


MODULES = {module_name(path): path for floor in PACKAGES for path in modules_of(floor)}


def imports_of(path: Path) -> set[str]:
    """Return the modules of ours that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{name.name}" for name in node.names}
            found |= {name if name in MODULES else str(node.module) for name in names}
    return found & set(MODULES)


@pytest.mark.parametrize("folder", packages(), ids=lambda each: module_name(each / "__init__.py"))
def test_a_map_names_each_module_once(folder: Path) -> None:
    if module_name(folder / "__init__.py") in FOUND_BY_NAME:
        return
    named = map_of(folder)
    assert set(named) == members_of(folder), "write one line for each module, and no other"
    assert len(named) == len(set(named))


@pytest.mark.parametrize("folder", packages(), ids=lambda each: module_name(each / "__init__.py"))
def test_modules_import_only_from_those_above_them(folder: Path) -> None:
    package = module_name(folder / "__init__.py")
    order = {name: place for place, name in enumerate(map_of(folder))}
    wrong = []
    for name, path in MODULES.items():
        if not name.startswith(f"{package}."):
            continue
        inside = name.removeprefix(f"{package}.").split(".")[0]
        for imported in imports_of(path):
            if imported.startswith(f"{package}."):
                other = imported.removeprefix(f"{package}.").split(".")[0]
                if inside in order and other != inside and order.get(other, 0) > order[inside]:
                    wrong.append(f"{name} imports {imported}, which is below it")
    assert not wrong, "move the module, or the line of the map"


def test_a_file_name_means_one_thing() -> None:
    # A file of procs/commands is named after its command, and a strategy or venue after itself.
    named_after = ("procs.commands.", "vortex.strategies.")
    names = Counter(
        path.stem
        for name, path in MODULES.items()
        if path.stem not in SHARED_FILE_NAMES and not name.startswith(named_after)
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_a_class_name_means_one_thing() -> None:
    places: dict[str, list[str]] = {}
    for name, path in MODULES.items():
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and node.name not in NAMED_BY_CONTRACT:
                places.setdefault(node.name, []).append(f"{name}.{node.name}")
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


#: Names that a contract gives to a part of each file that keeps it.
NAMED_BY_CONTRACT = {"Params": "of a strategy"}


def test_paths_in_documents_exist() -> None:
    wrong = []
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("tests/*.md")]:
        if path.name == "CHANGELOG.md":
            continue  # it describes former versions
        for found in re.findall(r"`([\w./]+/\w+\.py)`", path.read_text()):
            if not (ROOT / found).exists() and not (path.parent / found).exists():
                wrong.append(f"{path.name}: {found}")
    assert not wrong
