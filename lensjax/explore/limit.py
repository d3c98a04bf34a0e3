"""Requests that are too large are refused before they are read."""

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class LimitBody:
    """ASGI middleware that answers 413 to requests with a body of more than `largest` bytes, or with one of unknown length."""

    def __init__(self, app: ASGIApp, *, largest: int) -> None:
        self.app, self.largest = app, largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] == "http" and scope["method"] in ("POST", "PUT", "PATCH"):
            length = dict(scope["headers"]).get(b"content-length", b"")
            if not length.isdigit() or int(length) > self.largest:
                await PlainTextResponse("the upload is too large", status_code=413)(scope, receive, send)
                return
        await self.app(scope, receive, send)
