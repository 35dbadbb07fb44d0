"""A dashboard as a process, and a browser of tests that speaks its frames."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engines import ROOT, until
from websockets.sync.client import connect

from procs.dashboard.frames import decode


class Dashboard:
    """One `vortexctl dashboard`; ``close`` ends it."""

    def __init__(self, instance: str, runtime_folder: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "procs.cli", "dashboard", "-n", instance, *options],
            cwd=ROOT, env={**os.environ, "XDG_RUNTIME_DIR": str(runtime_folder)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("dashboard: "), line + self.rest()
        self.url = line.split()[1]
        address = urlsplit(self.url)
        assert address.port is not None
        self.port, self.token = address.port, address.fragment.removeprefix("token=")
        self.host = f"127.0.0.1:{self.port}"

    def request(
        self, verb: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of one request; ``_`` in a header's name is ``-``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(verb, path, skip_host="Host" in headers)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def act(self, command: Any, token: str | None = None) -> tuple[int, str]:
        """Ask for a command with the token; return the status and the error."""
        status, _, body = self.request(
            "POST", "/act", json.dumps(command).encode(),
            Authorization=f"Bearer {self.token if token is None else token}",
        )  # fmt: skip
        return status, json.loads(body)["error"]

    def look(self, page: str = "pipeline", *series: str) -> "Looker":
        """Return a browser of this dashboard, on one page."""
        return Looker(self.host, page, list(series))

    def rest(self) -> str:
        """End the process; return what it said on standard error."""
        self.process.terminate()
        _, errors = self.process.communicate(timeout=60)
        return errors

    def kill(self) -> None:
        """End the process with no chance to say so."""
        self.process.kill()
        self.process.communicate()

    def close(self) -> None:
        """End the process, if it still runs, and drop what it said."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class Looker:
    """What a browser does: it takes frames and answers for them."""

    def __init__(self, host: str, page: str, series: list[str]) -> None:
        self.page, self.series = page, series
        self._left = contextlib.ExitStack()
        self.socket = self._left.enter_context(connect(f"ws://{host}/frames", max_size=None))
        self.seen = 0
        self.say()

    def say(self) -> None:
        """Answer for what was seen, and repeat the wish."""
        self.socket.send(json.dumps({"seen": self.seen, "page": self.page, "series": self.series}))

    def raw(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the next frame, unanswered."""
        data = self.socket.recv(timeout=60)
        assert isinstance(data, bytes), "frames are binary"
        header, arrays = decode(data)
        return header, arrays

    def next(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the next frame, and answer for it."""
        header, arrays = self.raw()
        self.seen = header["number"]
        self.say()
        return header, arrays

    def until(self, what: str, condition: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the first frame of this page for which ``condition(header, arrays)`` holds."""

        def found() -> Any:
            header, arrays = self.next()
            is_it = header["page"] == self.page and condition(header, arrays)
            return (header, arrays) if is_it else None

        frame: tuple[dict[str, Any], dict[str, Any]] = until(found, what)
        return frame

    def close(self) -> None:
        """Leave."""
        self._left.close()
