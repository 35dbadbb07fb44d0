"""The findings of ``vortexctl doctor``, renewed at times by a separate process."""

import subprocess
import sys
import time
from typing import Any

import msgspec

AGAIN_S = 60.0


class Doctor:
    """The newest findings; the command takes a moment, so the page does not wait for it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._asked_at = -AGAIN_S
        self._told: dict[str, Any] = {"note": "asking", "findings": []}

    def newest(self) -> dict[str, Any]:
        """Return the last findings, and start the command again when they are old."""
        if self._process is not None and self._process.poll() is not None:
            output, _ = self._process.communicate()
            self._process = None
            self._told = findings_of(output)
        if self._process is None and time.monotonic() - self._asked_at > AGAIN_S:
            self._asked_at = time.monotonic()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "procs.cli", "doctor", "-o", "json"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        return self._told


def findings_of(output: bytes) -> dict[str, Any]:
    """Return the findings in the output of the command."""
    try:
        facts = msgspec.json.decode(output.strip())
        findings = [
            {
                key: str(finding.get(key, ""))
                for key in ("name", "verdict", "found", "wanted", "fix")
            }
            for finding in facts["findings"]
        ]
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return {"note": "the output of `vortexctl doctor` is unreadable", "findings": []}
    return {"note": "", "findings": findings}
