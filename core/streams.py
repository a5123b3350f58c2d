"""Event streams never end by themselves: when the server stops, they are ended."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_EVENTS = b"text/event-stream"


class Streams:
    """ASGI: knows the event streams that are open. A browser comes back to the next server."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open: set[asyncio.Task[Any]] = set()
        self._ended = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        task = asyncio.current_task()
        assert task is not None

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_stream(message):
                self._open.add(task)
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except asyncio.CancelledError:
            if not self._ended or task not in self._open:
                raise
            task.uncancel()
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._open.discard(task)

    def end(self) -> None:
        """Ends all that are open, in good order."""
        self._ended = True
        for task in self._open:
            task.cancel()


def _is_stream(message: Message) -> bool:
    headers = dict(message.get("headers", ()))
    return bytes(headers.get(b"content-type", b"")).startswith(_EVENTS)
