"""A load generator that costs little: raw HTTP/1.1 over kept-alive connections, one request at a
time on each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

CONNECTIONS = 32


@dataclass
class Load:
    """What came of it. `seconds` of each answer, by the time that it took."""

    statuses: dict[int, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    lasted: float = 0.0

    @property
    def per_second(self) -> float:
        return len(self.seconds) / self.lasted

    def percentile(self, share: float) -> float:
        """Milliseconds within which that share was answered."""
        return sorted(self.seconds)[int(share * (len(self.seconds) - 1))] * 1000


async def fire(
    host: str, port: int, requests: Iterator[bytes], lasting: float, connections: int = CONNECTIONS
) -> Load:
    """Sends what `requests` gives for `lasting` seconds; all that was sent is answered."""
    load, start = Load(), time.perf_counter()
    clients = [_Client(load, requests, start + lasting) for _ in range(connections)]
    loop = asyncio.get_running_loop()
    for client in clients:
        await loop.create_connection(lambda client=client: client, host, port)  # type: ignore[misc]
    await asyncio.gather(*(client.done for client in clients))
    load.lasted = time.perf_counter() - start
    return load


def post(path: str, body: bytes, *headers: str, content_type: str = "application/json") -> bytes:
    """A request as it goes over the wire."""
    head = [f"POST {path} HTTP/1.1", "Host: bench", f"Content-Type: {content_type}"]
    head += [f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class _Client(asyncio.Protocol):
    def __init__(self, load: Load, requests: Iterator[bytes], until: float) -> None:
        self.load, self.requests, self.until = load, requests, until
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0 or len(self.buffer) < end + 4 + _length(self.buffer[:end]):
            return
        status = int(self.buffer[9:12])
        self.load.statuses[status] = self.load.statuses.get(status, 0) + 1
        self.load.seconds.append(time.perf_counter() - self.sent)
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server hung up"))

    def _next(self) -> None:
        self.buffer, self.sent = b"", time.perf_counter()
        if self.sent >= self.until:
            self.done.set_result(None)
            self.transport.close()
        else:
            self.transport.write(next(self.requests))


def _length(head: bytes) -> int:
    found = head.lower().find(b"content-length:")
    return int(head[found + 15 :].split(b"\r\n", 1)[0]) if found >= 0 else 0
