"""Docstrings, comments, messages and documents are in plain English.

A newcomer must not learn a dialect first.  Each word below has a plain replacement; identifiers and
single words, such as the name of a table, are not checked.
"""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest
from sources import ROOT

#: Each dialect word, with its replacement.
DIALECT = {
    r"stands?|stood": "is, is open, rests, is in",
    r"told|tells? of": "ordered, logged, published, printed, reported",
    r"anew": "again, restarts",
    r"shall": "must, is to, or the present tense",
    r"(?:comes?|came) round": "iterates, runs",
    r"who(?:ever|soever)": "the caller, the writer, the reader, the user",
    r"lest": "so that ... not",
    r"keeps? (?:no )?house": "housekeeping CPU",
}
#: "Standing" words of the language that are not dialect.
PLAIN = re.compile(r"\b(?:stand(?:s|ing)? for|stand-alone|standalone|no longer stands?)\b")
CODE = ("ipc", "vortex", "procs", "tools", "tests")
#: Folders that are not in plain English yet.
NOT_YET: tuple[str, ...] = ()
#: It names the words.
THIS_FILE = "tests/tidy/test_words.py"
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "tests/README.md", "docs")
#: Written by the code: their words are in the declarations.
GENERATED = ("docs/configuration.md",)

_DIALECT = re.compile(rf"\b(?:{'|'.join(DIALECT)})\b", re.IGNORECASE)


def is_in(path: Path, names: tuple[str, ...]) -> bool:
    """Return whether a file is one of ``names``, or below one of them."""
    return any(path.is_relative_to(ROOT / name) for name in names)


def python_files() -> list[Path]:
    """Return all Python files, but for those that are not converted yet."""
    found = [path for name in CODE for path in sorted((ROOT / name).rglob("*.py"))]
    return [path for path in found if not is_in(path, (*NOT_YET, THIS_FILE))]


def documents() -> list[Path]:
    """Return the documents that people write, and the scripts of the dashboard's pages."""
    found = [path for name in DOCUMENTS for path in sorted((ROOT / name).rglob("*.md"))]
    found += [ROOT / name for name in DOCUMENTS if name.endswith(".md")]
    found += sorted((ROOT / "procs/dashboard/static/js").rglob("*.js"))
    return [path for path in found if not is_in(path, GENERATED)]


def prose_of(source: str) -> list[tuple[int, str]]:
    """Return (line, text) of each docstring, comment and text of several words."""
    found = [
        (node.lineno, node.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value
    ]
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = [token for token in tokens if token.type == tokenize.COMMENT]
    return found + [(token.start[0], token.string) for token in comments]


def dialect_in(text: str) -> list[str]:
    """Return the dialect words of a text; words in capitals are names of records."""
    return [word for word in _DIALECT.findall(PLAIN.sub("", text)) if not word.isupper()]


def advice(path: Path, line: int, word: str) -> str:
    """Return the place of a word and its replacement."""
    better = next(plain for word_of, plain in DIALECT.items() if re.fullmatch(word_of, word, re.I))
    return f"{path.relative_to(ROOT)}:{line}: {word!r}; better: {better}"


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_code_is_in_plain_words(path: Path) -> None:
    """No docstring, comment or message has a word of the dialect."""
    found = [
        advice(path, line, word)
        for line, text in prose_of(path.read_text())
        for word in dialect_in(text)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_are_in_plain_words(path: Path) -> None:
    """No line of a document has a word of the dialect."""
    found = [
        advice(path, line, word)
        for line, text in enumerate(path.read_text().splitlines(), 1)
        for word in dialect_in(text)
    ]
    assert not found, "\n".join(found)


def test_the_words_are_found() -> None:
    """A docstring, a comment and a message are seen; a name and a plain word are not."""
    source = (
        '"""It stands here."""\ntold = {}  # shall be\nx = f"the {told} comes round"\ny = "told"\n'
    )
    words = sorted(word for _, text in prose_of(source) for word in dialect_in(text))
    assert words == ["comes round", "shall", "stands"]
    assert dialect_in("one standard notch below, for which it stands for six") == []


def test_every_place_exists() -> None:
    """A folder that was renamed must not leave the list silently empty."""
    missing = [name for name in (*CODE, *NOT_YET, *DOCUMENTS) if not (ROOT / name).exists()]
    assert missing == []
