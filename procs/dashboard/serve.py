"""Opens the dashboard's port and serves until a stop or the end of the run."""

import asyncio
import os
import secrets
import socket
from collections.abc import Callable

import uvicorn

from procs.dashboard.dashboard_server import make
from procs.dashboard.sample_feed import SampleFeed

HOST = "127.0.0.1"
NICENESS = 10
END_LOOK_S = 0.5


class PortTaken(Exception):
    """The port is in use; the message says what to do."""


def listen(port: int) -> socket.socket:
    """Return a socket that listens on loopback; ``port`` 0 takes any free one.

    Raises
    ------
    PortTaken
        When the port cannot be had.
    """
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise PortTaken(
            f"port {port} is not available ({error.strerror}): leave --port out for any free one"
        ) from error


def serve(name: str, port: int, *, until_ended: bool, say: Callable[[str], object]) -> None:
    """Serve the dashboard of one instance; pass the address to ``say`` when it is ready.

    Raises
    ------
    PortTaken
        When the port cannot be had.
    """
    listener = listen(port)
    token = secrets.token_urlsafe(24)
    os.nice(NICENESS)
    # The fragment stays in the browser: it is in no request and no log.
    url = f"http://{HOST}:{listener.getsockname()[1]}/#token={token}"
    with listener:
        asyncio.run(_serve(name, listener, token, until_ended=until_ended, hello=lambda: say(url)))


async def _serve(
    name: str,
    listener: socket.socket,
    token: str,
    *,
    until_ended: bool,
    hello: Callable[[], object],
) -> None:
    feed = SampleFeed(name)
    server = uvicorn.Server(uvicorn.Config(
        make(feed, token), log_level="error", access_log=False, server_header=False,
        proxy_headers=False, ws_max_size=1 << 12, ws_per_message_deflate=False,
        timeout_graceful_shutdown=1,
    ))  # fmt: skip
    hello()
    end = asyncio.create_task(_end_with_run(feed, server)) if until_ended else None
    await server.serve(sockets=[listener])
    if end is not None:
        end.cancel()


async def _end_with_run(feed: SampleFeed, server: uvicorn.Server) -> None:
    """End the server when the run that it shows has ended."""
    while feed.run_state != "ended":
        await asyncio.sleep(END_LOOK_S)
    server.should_exit = True
