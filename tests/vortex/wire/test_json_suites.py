"""The JSON suites of others: taken and refused as they say, or named here with the reason.

JSONTestSuite comes with msgspec's sources, which ``make test`` fetches (tests/vectors.txt);
JSON_checker comes with Python's own tests.
"""

import ast
import importlib
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from scale import scaled

from tools.fuzz.scanner import ADDRESS, BUFFER, NUMBER, is_json, put, slow_e8
from vortex.wire import utf8
from vortex.wire.scan import (
    CLOSE_OBJECT,
    DEPTH_MAX,
    check_text,
    open_object,
    read_e8,
    read_member,
    text_words,
)

ROOT = Path(__file__).resolve().parents[3]
ARCHIVE = "msgspec-0.22.0.tar.gz"
MEMBER = "msgspec-0.22.0/tests/unit/test_JSONTestSuite.py"


def is_taken(text: bytes) -> bool:
    """Return whether we take ``text``, as it comes in a text frame: UTF-8 first, then JSON."""
    address, end = put(text)
    return utf8.is_utf8(address, end - address) and check_text(address, end) > 0


def constant(node: ast.expr) -> bytes:
    """Return the bytes that a literal, or literals put together, stand for; runs nothing."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        left, right = ast.literal_eval(node.left), ast.literal_eval(node.right)
        return bytes(left * right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return constant(node.left) + constant(node.right)
    return bytes(ast.literal_eval(node))


@pytest.fixture(scope="module")
def suite() -> dict[str, list[bytes]]:
    """Return JSONTestSuite's texts by the name of their list."""
    archive = Path(os.environ.get("VORTEX_VECTORS") or ROOT / ".venv/vectors") / ARCHIVE
    if not archive.is_file():
        pytest.skip(f"no {ARCHIVE}: `make vectors` fetches it")
    with tarfile.open(archive) as members:
        source = members.extractfile(MEMBER)
        assert source is not None
        tree = ast.parse(source.read())
    return {
        node.targets[0].id: [constant(item) for item in node.value.elts]
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.List)
    }


def test_jsontestsuite_s_valid_texts_are_taken(suite: dict[str, list[bytes]]) -> None:
    texts = suite["valid_cases"]
    assert len(texts) == 95
    assert [text for text in texts if not is_taken(text)] == []


def test_jsontestsuite_s_invalid_texts_are_refused(suite: dict[str, list[bytes]]) -> None:
    texts = suite["invalid_cases"]
    assert len(texts) == 188
    assert [text[:100] for text in texts if is_taken(text)] == []
    # What is no UTF-8 is refused by the framing; of the rest the scanner refuses all by itself.
    unicode = [text for text in texts if utf8.is_utf8(put(text)[0], len(text))]
    assert [text[:100] for text in unicode if check_text(*put(text)) > 0] == []


def members_of(text: bytes) -> list[tuple[tuple[int, int, int], str]]:
    """Return each member's name as words and its value's first character, by our reader."""
    address, end = put(text)
    position = open_object(check_text(address, end), end)
    found = []
    while BUFFER[position - ADDRESS] != CLOSE_OBJECT:
        key, key_bytes, value, position = read_member(position, end)
        found.append((text_words(key, key_bytes), chr(BUFFER[value - ADDRESS])))
    return found


def words_of_key(key: str) -> tuple[int, int, int]:
    """Return what ``text_words`` returns for ``key``."""
    data = key.encode("utf-8", "surrogatepass")
    if len(data) > 24 or any(ord(c) < 32 or ord(c) > 0xFFFF for c in key):
        return -1, -1, -1
    padded = data.ljust(24, b"\0")
    first, second, third = (
        int.from_bytes(padded[at : at + 8], "little", signed=True) for at in (0, 8, 16)
    )
    return first, second, third


def test_jsontestsuite_s_values_read_as_python_reads_them(suite: dict[str, list[bytes]]) -> None:
    object_count = number_count = 0
    for text in suite["valid_cases"]:
        pairs = json.loads(text, object_pairs_hook=lambda pairs: ("object", pairs))
        if isinstance(pairs, tuple):
            expected = []
            for key, value in pairs[1]:
                shown = "{" if isinstance(value, tuple) else json.dumps(value)[0]
                expected.append((words_of_key(key), shown))
            assert members_of(text) == expected, text
            object_count += 1
        inner = text.strip(b"[] \n")
        if NUMBER.fullmatch(inner.decode()):
            assert read_e8(*put(inner)) == slow_e8(inner.decode()), text
            number_count += 1
    assert (object_count, number_count) == (12, 24)


#: JSON_checker's texts that JSON takes since RFC 7159, and we with it.
TAKEN = {
    1: "a text may be any value, not only an object or array",
    18: "20 open brackets are no error of the grammar; ours is at DEPTH_MAX",
}


def python_s(name: str) -> Any:
    """Return a module of Python's own tests; skip where the installation has none."""
    try:
        return importlib.import_module(f"test.test_json.{name}")
    except ImportError:
        pytest.skip("this Python came without its tests")


def test_json_checker_s_bad_texts_are_refused() -> None:
    texts = dict(enumerate(python_s("test_fail").JSONDOCS, start=1))
    assert len(texts) >= 33
    taken = {number for number, text in texts.items() if is_taken(text.encode())}
    assert taken == set(TAKEN)
    for number in taken:
        assert is_json(texts[number].encode())


@pytest.mark.parametrize("name", ["test_pass1", "test_pass2", "test_pass3"])
def test_json_checker_s_good_texts_are_taken(name: str) -> None:
    text = python_s(name).JSON
    for data in (text.encode(), json.dumps(json.loads(text)).encode()):
        assert is_taken(data)
        sizes = range(0, len(data.rstrip()) - 1, scaled(1, 11))
        assert all(not is_taken(data[:size]) for size in sizes)


def nested(depth: int) -> list[bytes]:
    return [b"[" * depth + b"]" * depth, b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)]


def test_nesting_is_followed_to_its_limit_and_no_further() -> None:
    """No text of the suites nests so deeply and is valid; the limit is ours alone."""
    assert all(is_taken(text) for text in nested(DEPTH_MAX - 1))
    assert not any(is_taken(text) for text in nested(DEPTH_MAX))
    assert all(is_json(text) for text in nested(DEPTH_MAX))
