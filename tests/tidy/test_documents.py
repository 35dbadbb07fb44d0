"""The generated documents say what the code declares."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from procs.plan import config
from tools import documents, settings


@pytest.mark.parametrize("document", documents.DOCUMENTS, ids=lambda each: each.path.name)
def test_the_document_is_what_the_declarations_print(document):
    assert document.path.read_text() == document.text(), "make docs"


def test_the_check_fails_on_a_stale_document(tmp_path, monkeypatch):
    moved = [replace(each, path=tmp_path / each.path.name) for each in documents.DOCUMENTS]
    monkeypatch.setattr(documents, "DOCUMENTS", moved)
    assert CliRunner().invoke(documents.main, ["--check"]).exit_code == 1, "there is none"
    assert CliRunner().invoke(documents.main).exit_code == 0
    assert CliRunner().invoke(documents.main, ["--check"]).exit_code == 0
    for document in moved:
        written = document.path.read_text()
        document.path.write_text(written + "stale\n")
        assert CliRunner().invoke(documents.main, ["--check"]).exit_code == 1
        document.path.write_text(written)


def test_every_key_of_the_configuration_is_described():
    """Of each table all keys, but for those that are tables of their own."""
    text = settings.text()
    tables = [value for value in vars(config).values() if isinstance(value, type)]
    tables = [each for each in tables if issubclass(each, config.Strict) and each.__struct_fields__]
    assert len(tables) > 12
    for table in tables:
        for key in table.__struct_fields__:
            assert f"| `{key}` | " in text or f".{key}]" in text or f"[{key}]" in text, key
