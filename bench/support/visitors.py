"""Visitors of the web chat: each keeps its event stream open, writes, and writes again as soon as
the reply has arrived there. Raw HTTP, so that it costs little beside what is measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

HOST = "127.0.0.1"
REPLY = b'"mine":false'


@dataclass
class Visitor:
    """`cookie` says who it is; `written` counts over all its visits, for ids that never repeat."""

    cookie: str
    written: int = 0

    @asynccontextmanager
    async def arrived(self, port: int) -> AsyncIterator[Chat]:
        """With the page open: its history is there."""
        stream, hang_up = await asyncio.open_connection(HOST, port)
        page, writer = await asyncio.open_connection(HOST, port)
        try:
            hang_up.write(self._request("GET", "/chat/events"))
            await stream.readuntil(b"event: history")
            await stream.readuntil(b"\n\n")
            yield Chat(self, stream, page, writer)
        finally:
            hang_up.close()
            writer.close()

    def message(self) -> bytes:
        self.written += 1
        body = b'{"id":"m%d","kind":"text","text":"menu"}' % self.written
        return self._request("POST", "/chat/messages", body)

    def _request(self, method: str, path: str, body: bytes = b"") -> bytes:
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: bench\r\nCookie: malva_chat={self.cookie}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@dataclass
class Chat:
    """`stream` brings the replies, `page` the answers to what is written."""

    visitor: Visitor
    stream: asyncio.StreamReader
    page: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def talk(self, until: float) -> int:
        """Writes and reads until then (`time.perf_counter()`); how many replies arrived."""
        replies = 0
        while time.perf_counter() < until:
            self.writer.write(self.visitor.message())
            await asyncio.gather(_answered(self.page), self.stream.readuntil(REPLY))
            replies += 1
        return replies


async def _answered(page: asyncio.StreamReader) -> None:
    head = await page.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    at = head.lower().index(b"content-length:")
    await page.readexactly(int(head[at + 15 :].split(b"\r\n", 1)[0]))


async def replies_per_second(visitors: list[Visitor], port: int, lasting: float) -> float:
    async with AsyncExitStack() as stack:
        arrivals = [stack.enter_async_context(visitor.arrived(port)) for visitor in visitors]
        chats = await asyncio.gather(*arrivals)
        began = time.perf_counter()
        replies = await asyncio.gather(*(chat.talk(began + lasting) for chat in chats))
        return sum(replies) / (time.perf_counter() - began)
