"""Answers with a JSON body over HTTP."""

from typing import Any

import msgspec
from aiohttp import web


def json_response(status: int, body: Any, headers: dict[str, str] | None = None) -> web.Response:
    """Return an answer with a JSON body."""
    return web.Response(
        status=status,
        body=msgspec.json.encode(body),
        content_type="application/json",
        headers=headers,
    )
