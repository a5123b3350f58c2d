"""A gateway for one adapter alone: the real HTTP client, and what came of it in lists."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from core.contract import Outbound, Received, Request
from core.i18n import words
from core.wire import Wire


class ImpatientWire(Wire):
    """Gives a provider less time than is asked for, so that tests of hanging ones are quick."""

    longest = 0.5

    async def request(self, *args, timeout=10.0, **more):
        return await super().request(*args, timeout=min(timeout, self.longest), **more)


class OneGateway:
    """`core.contract.Gateway` as far as Telegram and the tills use it. Every hold is free until
    `held` is taken away."""

    business = "BIFE"

    def __init__(self, name: str, http: Wire, public_url: str = "https://malva.example") -> None:
        self.name = name
        self.http = http
        self.public_url = public_url
        self.ahead = timedelta()
        self.received: list[Received] = []
        self.held = True
        self.holds = 0
        self.refuse: list[Exception] = []
        self._tasks: set[asyncio.Future] = set()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def translate(self, language: str, sentence: str, /, **values: object) -> str:
        return words(language).text(sentence, **values)

    async def receive(self, events: Sequence[Received]) -> Sequence[Outbound | None]:
        if self.refuse:
            raise self.refuse.pop()
        self.received += events
        return [None for _ in events]

    @asynccontextmanager
    async def hold(self, what: str) -> AsyncIterator[Callable[[], bool]]:
        while not self.held:
            await asyncio.sleep(0.01)
        self.holds += 1
        yield lambda: self.held

    def background(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def webhook(body: bytes, **headers: str) -> Request:
    """A webhook as the inbox hands it over; `_` in a header's name is `-`."""
    lower = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(
        method="POST", url="https://malva.example/hook", headers=lower, query={}, body=body
    )
