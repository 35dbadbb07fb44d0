"""Nothing unfinished, and nothing of one machine, is released."""

import re
import subprocess
from pathlib import Path

import pytest
from sources import ROOT

LINES_MAX = 600
TEXT = {".py", ".toml", ".md", ".yml", ".yaml", ".cfg", ".sh", ".html", ".js", ".css", ".service"}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
ONE_MACHINE = re.compile(r"(?<![\w.])/(?:home/\w|Users/\w|root/|work/)")
SECRET = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")


def files():
    """Return the text files that git knows, or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in result.stdout.splitlines()]
    return [
        path
        for path in paths
        if path.is_file() and (path.suffix in TEXT or path.name in ("Makefile", ".gitignore"))
    ]


def lines_that_match(pattern):
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files()
        if path != Path(__file__).resolve()  # which must name what it looks for
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if pattern.search(line)
    ]


def test_nothing_is_marked_as_unfinished():
    assert not lines_that_match(UNFINISHED)


def test_no_path_of_one_machine_is_named():
    assert not lines_that_match(ONE_MACHINE)


def test_no_private_key_is_kept():
    assert not lines_that_match(SECRET)


def test_no_source_is_longer_than_can_be_read():
    wrong = {
        str(path.relative_to(ROOT)): count
        for path in files()
        if path.suffix == ".py" and (count := len(path.read_text().splitlines())) > LINES_MAX
    }
    assert not wrong


def test_tests_are_no_package():
    assert not [path for path in files() if path.name == "__init__.py" and "tests" in path.parts]


def test_every_link_of_a_document_leads_to_a_file():
    links = re.compile(r"\]\(\s*([^)\s]+)\s*\)")
    documents = [path for path in files() if path.suffix == ".md"]
    assert len(documents) > 5
    wrong = [
        f"{path.relative_to(ROOT)}: {link}"
        for path in documents
        for link in links.findall(path.read_text())
        if "://" not in link and not (path.parent / link.partition("#")[0]).exists()
    ]
    assert not wrong
