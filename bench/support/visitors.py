"""Visitors of the web chat: each keeps its event stream open, writes, and writes again as soon as
the reply has arrived there. Raw HTTP, so that it costs little beside what is measured."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

HOST = "127.0.0.1"
REPLY = b'"mine":false'


@dataclass
class Visitor:
    """`cookie` says who it is; `written` counts over all its visits, for ids that never repeat."""

    cookie: str
    written: int = 0

    async def chat(self, port: int, until: float) -> int:
        """Writes and reads until then (`time.perf_counter()`); how many replies arrived."""
        stream, hang_up = await asyncio.open_connection(HOST, port)
        page, writer = await asyncio.open_connection(HOST, port)
        replies = 0
        try:
            hang_up.write(self._request("GET", "/chat/events"))
            await stream.readuntil(b"event: history")
            await stream.readuntil(b"\n\n")
            while time.perf_counter() < until:
                writer.write(self._message())
                await asyncio.gather(_answered(page), stream.readuntil(REPLY))
                replies += 1
        finally:
            hang_up.close()
            writer.close()
        return replies

    def _message(self) -> bytes:
        self.written += 1
        body = b'{"id":"m%d","kind":"text","text":"menu"}' % self.written
        return self._request("POST", "/chat/messages", body)

    def _request(self, method: str, path: str, body: bytes = b"") -> bytes:
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: bench\r\nCookie: malva_chat={self.cookie}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


async def _answered(page: asyncio.StreamReader) -> None:
    head = await page.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    at = head.lower().index(b"content-length:")
    await page.readexactly(int(head[at + 15 :].split(b"\r\n", 1)[0]))


async def replies_per_second(visitors: list[Visitor], port: int, lasting: float) -> float:
    began = time.perf_counter()
    chats = [visitor.chat(port, began + lasting) for visitor in visitors]
    return sum(await asyncio.gather(*chats)) / (time.perf_counter() - began)
