"""Checks the callers of the dashboard, and restricts its pages in the browser.

The dashboard listens on loopback, but any page in the same browser can reach that too: by a name
that resolves to 127.0.0.1 (refused by its Host), or from another origin (refused by its Origin).
Commands to the engine also need the token, which only the terminal shows.
*Source:* RFC 6454 (Origin); Content Security Policy Level 3 (W3C).
"""

import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
REFUSED_CODE = 1008  # RFC 6455 section 7.4.1: policy violation

POLICY = "; ".join([
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
])  # fmt: skip
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def host_is_ours(host: str) -> bool:
    """Return whether a Host header names loopback; the port may be a tunnel's."""
    try:
        parts = urlsplit(f"//{host}")
        return parts.hostname in LOOPBACK_NAMES and not parts.path and parts.username is None
    except ValueError:
        return False


def origin_is_ours(origin: str | None, host: str) -> bool:
    """Return whether a request comes from our own page, or from no page at all."""
    return origin is None or origin == f"http://{host}"


def refusal(headers: Headers) -> str:
    """Return why a request is refused, empty when it is not."""
    host = headers.getlist("host")
    origin = headers.getlist("origin")
    if len(host) != 1 or not host_is_ours(host[0]):
        return "this is served to 127.0.0.1 and localhost only"
    if len(origin) > 1 or not origin_is_ours(origin[0] if origin else None, host[0]):
        return "this is served to its own pages only"
    return ""


def token_fits(headers: Headers, token: str) -> bool:
    """Return whether a request carries the token: ``Authorization: Bearer TOKEN``."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    return kind == "Bearer" and secrets.compare_digest(given.encode(), token.encode())


class Guard:
    """Refuses strangers before any other code runs, and adds the headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        reason = refusal(Headers(scope=scope)) if scope["type"] in ("http", "websocket") else ""
        if not reason:
            await self.app(scope, receive, send_guarded)
        elif scope["type"] == "websocket":
            await WebSocketClose(REFUSED_CODE, reason)(scope, receive, send)
        else:
            answer = PlainTextResponse(reason + "\n", status_code=403)
            await answer(scope, receive, send_guarded)
