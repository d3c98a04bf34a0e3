"""Requests that are too large."""

import asyncio

import pytest

pytest.importorskip("starlette")


@pytest.mark.parametrize(
    "method, headers, status",
    [
        ("POST", [(b"content-length", b"100")], 200),
        ("POST", [(b"content-length", b"101")], 413),
        ("POST", [], 413),
        ("POST", [(b"content-length", b"-1")], 413),
        ("GET", [], 200),
    ],
)
def test_bodies_that_are_too_large_or_of_unknown_length_are_not_read(method, headers, status):
    from starlette.responses import PlainTextResponse

    from lensjax.explore.limit import LimitBody

    sent, read = [], []

    async def receive():
        read.append(True)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    async def page(scope, receive, send):
        await receive()
        await PlainTextResponse("page")(scope, receive, send)

    asyncio.run(LimitBody(page, largest=100)({"type": "http", "method": method, "headers": headers}, receive, send))
    assert sent[0]["status"] == status and bool(read) == (status == 200)
