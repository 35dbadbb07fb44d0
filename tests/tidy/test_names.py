"""What is tested is this checkout, and what is found by name is found once."""

import importlib
from collections import Counter
from pathlib import Path

import pytest
from sources import PACKAGES, ROOT, all_modules, module_name


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_are_imported_from_this_checkout(package):
    if not (ROOT / package).is_dir():
        pytest.skip(f"{package} is not written yet")
    module = importlib.import_module(package)
    assert module.__file__ is not None
    assert Path(module.__file__).resolve().is_relative_to(ROOT)


def test_no_two_files_answer_to_one_name():
    # strategies/x.py and strategies/x/__init__.py are both "x"; so are X.py and x.py on some disks.
    names = Counter(module_name(path).lower() for path in all_modules())
    assert [name for name, count in names.items() if count > 1] == []


def test_every_file_can_be_imported_by_its_name():
    wrong = [
        module_name(path)
        for path in all_modules()
        if not all(part.isidentifier() for part in module_name(path).split("."))
    ]
    assert not wrong, "a strategy or venue is named in the configuration by its module"
