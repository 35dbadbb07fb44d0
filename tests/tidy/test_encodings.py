"""Each text file and each pipe of text names its encoding: the locale decides nothing."""

import ast

import pytest
from sources import all_modules, parsed

#: Calls that open text, and how many positional arguments they have with an encoding.
WHOLE_FILES = {"read_text": 1, "write_text": 2}
OPENED = {"open", "fdopen", "makefile"}
CHILDREN = {"run", "Popen", "check_output"}


def name_of(call: ast.Call) -> str:
    """Return the last word of what is called."""
    return ast.unparse(call.func).rpartition(".")[2]


def is_open_of_text(call: ast.Call) -> bool:
    """Return whether a call opens a file for text: a mode without ``b``, and not ``os.open``."""
    mode = [each.value for each in call.keywords if each.arg == "mode"]
    found = [each.value for each in (*call.args, *mode) if isinstance(each, ast.Constant)]
    modes = [each for each in found if isinstance(each, str) and each.strip("rwxabt+") == ""]
    return bool(modes) and "b" not in modes[-1] and ast.unparse(call.func) != "os.open"


def has_no_encoding(call: ast.Call) -> bool:
    """Return whether a call reads or writes text by the encoding of the locale."""
    keywords = {each.arg for each in call.keywords}
    if "encoding" in keywords:
        return False
    name = name_of(call)
    if name in WHOLE_FILES:
        return len(call.args) < WHOLE_FILES[name]
    if name in CHILDREN:
        return not keywords.isdisjoint({"text", "universal_newlines", "errors"})
    return name in OPENED and is_open_of_text(call)


def test_all_text_has_an_encoding() -> None:
    calls = [
        (path, node)
        for path in all_modules()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
    ]
    assert len(calls) > 10_000
    assert [f"{path}:{call.lineno}" for path, call in calls if has_no_encoding(call)] == []


@pytest.mark.parametrize(
    ("text", "is_wrong"),
    [
        ("path.read_text()", True),
        ("path.read_text(errors='replace')", True),
        ("path.read_text('utf-8')", False),
        ("path.write_text(text)", True),
        ("path.write_text(text, encoding='utf-8')", False),
        ("open(path, 'w')", True),
        ("open(path, 'rb')", False),
        ("gzip.open(path, 'rt')", True),
        ("path.open(mode='x')", True),
        ("os.open(path, flags)", False),
        ("subprocess.run(words, text=True)", True),
        ("subprocess.run(words, encoding='utf-8')", False),
        ("subprocess.Popen(words)", False),
    ],
)
def test_a_call_without_an_encoding_is_noticed(text: str, is_wrong: bool) -> None:
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call)
    assert has_no_encoding(call) == is_wrong
