"""The dashboard's server: its pages, its frames, and the few commands."""

import asyncio
import contextlib
import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from procs.dashboard.browser import Browser
from procs.dashboard.guard import Guard, token_fits
from procs.dashboard.sample_feed import SampleFeed
from procs.supervision.control.control_socket import (
    Command,
    NoAnswer,
    RestartStage,
    StartStage,
    StopRun,
    StopStage,
    ask,
)

STATIC = Path(__file__).parent / "static"
BODY_BYTES_MAX = 4_096
METRICS_MODULE = "procs.observe.metrics"
#: The permitted commands, in the form of `vortexctl`.
Action = StopRun | StopStage | StartStage | RestartStage


class JsonAnswer(Response):
    """An object as JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the bytes of the answer."""
        return msgspec.json.encode(content)


async def index(request: Request) -> Response:
    """Return the one page."""
    return FileResponse(STATIC / "index.html")


async def metrics(request: Request) -> Response:
    """Return the run's metrics for Prometheus, if this version has them."""
    feed: SampleFeed = request.app.state.feed
    if importlib.util.find_spec(METRICS_MODULE) is None:
        return PlainTextResponse("this version has no metrics\n", status_code=404)
    if feed.watch is None:
        return PlainTextResponse(feed.note + "\n", status_code=503)
    module = importlib.import_module(METRICS_MODULE)
    return PlainTextResponse(module.text(feed.watch.view))


async def act(request: Request) -> Response:
    """Send one command to the supervisor, for a caller with the token."""
    if not token_fits(request.headers, request.app.state.token):
        error = "open the page by the link that `vortexctl dashboard` printed: it holds the token"
        return JsonAnswer({"error": error}, status_code=403)
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES_MAX:
            return JsonAnswer({"error": "too long"}, status_code=413)
    try:
        command: Command = msgspec.json.decode(body, type=Action)
    except msgspec.DecodeError as error:
        return JsonAnswer({"error": f"not a command: {error}"}, status_code=400)
    try:
        answer = await asyncio.to_thread(ask, request.app.state.feed.name, command)
    except NoAnswer as error:
        return JsonAnswer({"error": str(error)}, status_code=503)
    return JsonAnswer({"error": answer.error}, status_code=409 if answer.error else 200)


async def frames(socket: WebSocket) -> None:
    """Show the run to one browser."""
    await socket.accept()
    await Browser(socket.app.state.feed, socket).serve()
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # the other side closed first
        await socket.close()


@contextlib.asynccontextmanager
async def following(app: Starlette) -> AsyncIterator[None]:
    """Keep the feed fresh as long as the server runs."""
    task = asyncio.create_task(app.state.feed.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        app.state.feed.close()


def make(feed: SampleFeed, token: str) -> Starlette:
    """Return the application for one instance; commands need ``token``."""
    app = Starlette(
        routes=[
            Route("/", index),
            Route("/metrics", metrics),
            Route("/act", act, methods=["POST"]),
            WebSocketRoute("/frames", frames),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Guard)],
        lifespan=following,
    )
    app.state.feed, app.state.token = feed, token
    return app
