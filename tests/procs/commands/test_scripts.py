"""The script of the documentation, run as a user would."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from engines import Engine, Exchange

from ipc.segment import list_segments

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = ROOT / "docs" / "operating.md"

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler


def test_an_instance_is_started_killed_and_restarted_by_a_script(tmp_path: Path) -> None:
    """In the end the exchange has no open order; both runs ended in order."""
    (script,) = re.findall(r"^```bash\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    path = tmp_path / "drill.sh"
    path.write_text(script)
    exchange = Exchange(tmp_path, "--audit")
    engine = Engine.on(tmp_path, exchange)
    search = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    try:
        done = subprocess.run(
            ["bash", str(path), str(engine.config_path), engine.name],
            cwd=tmp_path, env={**os.environ, **engine.environment, "PATH": search},
            capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert "\nnothing died\n" in done.stdout
        assert len(list((tmp_path / "runs").glob("*/report.json"))) == 2
        first, second = sorted((tmp_path / "runs").iterdir(), key=lambda run: run.stat().st_ctime)
        logged = (first / "events.jsonl").read_text()
        assert '"died"' in logged
        assert '"adopted"' in logged
        assert '"died"' not in (second / "events.jsonl").read_text()
        assert list_segments(engine.name) == []
        assert [order for order in exchange.audit()["orders"] if order["is_open"]] == []
    finally:
        engine.close()
        exchange.close()
