"""The Bot API, Twilio and Viber in one, which take everything and keep nothing but the count and
the last call: raw HTTP, so that it costs little beside what is measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

SENDS = (b"/sendMessage", b"/Messages.json", b"/send_message")
"""How the paths end by which a message is handed over."""
ME = b'{"ok":true,"result":{"id":1,"is_bot":true,"first_name":"Bench","username":"bench_bot"}}'
TAKEN = b'{"ok":true,"result":{"message_id":7,"date":1,"chat":{"id":1,"type":"private"}}}'
DONE = b'{"ok":true,"result":true}'


class Provider:
    """`sent`: messages that were handed over; `last` is when, on the monotonic clock, and `call`
    by what request."""

    def __init__(self) -> None:
        self.url = ""
        self.sent = 0
        self.last = 0.0
        self.call = b""
        self._wanted = 0
        self._there = asyncio.Event()

    async def until(self, sent: int, timeout: float = 60) -> None:
        """Until so many have been handed over in all."""
        self._wanted = sent
        self._there.clear()
        if self.sent < sent:
            async with asyncio.timeout(timeout):
                await self._there.wait()

    def answer(self, request: bytes) -> bytes:
        path = request.split(b" ", 2)[1]
        if path.endswith(SENDS):
            self.sent += 1
            self.last = time.perf_counter()
            self.call = request
            if self.sent >= self._wanted:
                self._there.set()
        return _said(path, self.sent)


def _said(path: bytes, number: int) -> bytes:
    """What the provider of this path says when all is well."""
    if path.endswith(b"/Messages.json"):
        return b'{"sid":"SM%032x","status":"queued","error_code":null}' % number
    if path.endswith(b"/Content"):
        return b'{"sid":"HX%032x"}' % number
    if path.startswith(b"/pa/"):
        return b'{"status":0,"status_message":"ok","message_token":%d}' % (10**18 + number)
    if path.endswith(b"/getMe"):
        return ME
    return TAKEN if path.endswith(b"/sendMessage") else DONE


class _Connection(asyncio.Protocol):
    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            at = head.lower().find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            request, self.buffer = self.buffer[: end + 4 + length], self.buffer[end + 4 + length :]
            body = self.provider.answer(request)
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (len(body), body)
            )


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    found = Provider()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(found), "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield found
    finally:
        server.close()
