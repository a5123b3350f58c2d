"""A gateway for one adapter alone: the real HTTP client, and what came of it in lists."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from core.contract import CafeInfo, Http, Outbound, Received, Request, StoredMessage
from core.i18n import words
from core.keys import Keys
from core.pictures import qr_png
from core.wire import Response, Wire


class ImpatientWire(Wire):
    """Gives a provider less time than is asked for, so that tests of hanging ones are quick."""

    longest = 2.0

    async def request(
        self, method: str, url: str, *, timeout: float = 10.0, **more: Any
    ) -> Response:
        return await super().request(method, url, timeout=min(timeout, self.longest), **more)


class OneGateway:
    """`core.contract.Gateway` without a Malva behind it. Every hold is free until `held` is taken
    away; what is in `refuse` is raised by `receive`, the last one first."""

    business = "BIFE"

    def __init__(self, name: str, http: Wire, public_url: str = "https://malva.example") -> None:
        self.name = name
        self.http: Http = http
        self.public_url = public_url
        self.ahead = timedelta()
        self.received: list[Received] = []
        self.held = True
        self.holds = 0
        self.refuse: list[Exception] = []
        self.kept: dict[str, str] = {}
        self._keys = Keys(Keys.generate())
        self._tasks: set[asyncio.Future[None]] = set()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def translate(self, language: str, sentence: str, /, **values: object) -> str:
        return words(language).text(sentence, **values)

    async def receive(self, events: Sequence[Received]) -> Sequence[Outbound | None]:
        if self.refuse:
            raise self.refuse.pop()
        self.received += events
        return [None for _ in events]

    async def messages_after(self, address: str, after: int) -> Sequence[StoredMessage]:
        return []

    @asynccontextmanager
    async def listen(self, address: str) -> AsyncIterator[Callable[[float], Awaitable[bool]]]:
        yield _nothing

    @asynccontextmanager
    async def hold(self, what: str) -> AsyncIterator[Callable[[], bool]]:
        while not self.held:  # noqa: ASYNC110 - a plain attribute, for tests to set
            await asyncio.sleep(0.01)
        self.holds += 1
        yield lambda: self.held

    async def load(self, key: str) -> str | None:
        return self.kept.get(key)

    async def save(self, key: str, value: str) -> None:
        self.kept[key] = value

    async def cafes(self) -> Sequence[CafeInfo]:
        return [CafeInfo("bife", "BIFE", "RSD", "Europe/Belgrade")]

    def sign(self, purpose: str, value: str) -> str:
        return self._keys.sign(purpose, value)

    def unsign(self, purpose: str, text: str) -> str | None:
        return self._keys.unsign(purpose, text)

    def qr_png(self, text: str) -> Awaitable[bytes]:
        return qr_png(text)

    def background(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @asynccontextmanager
    async def subscribe(self, topics: Sequence[str]) -> AsyncIterator[AsyncIterator[str]]:
        yield _silence()


async def _nothing(timeout: float) -> bool:
    await asyncio.sleep(timeout)
    return False


async def _silence() -> AsyncIterator[str]:
    await asyncio.Event().wait()
    yield ""


def webhook(body: bytes, **headers: str) -> Request:
    """A webhook as the inbox hands it over; `_` in a header's name is `-`."""
    lower = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(
        method="POST", url="https://malva.example/hook", headers=lower, query={}, body=body
    )
