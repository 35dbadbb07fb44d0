"""RECORDS.md says what the code declares."""

from click.testing import CliRunner

from tools import records


def test_the_document_is_what_the_declarations_print():
    assert records.DOCUMENT.read_text() == records.document(), "run python -m tools.records"


def test_the_check_fails_on_a_stale_document(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "DOCUMENT", tmp_path / "RECORDS.md")
    assert CliRunner().invoke(records.main, ["--check"]).exit_code == 1, "there is none"
    assert CliRunner().invoke(records.main).exit_code == 0
    assert CliRunner().invoke(records.main, ["--check"]).exit_code == 0
    records.DOCUMENT.write_text(records.DOCUMENT.read_text() + "stale\n")
    assert CliRunner().invoke(records.main, ["--check"]).exit_code == 1
