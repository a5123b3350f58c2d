"""The `Gateway` that each running plugin is given."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from core.bell import Bell, Rings
from core.contract import CafeInfo, Http, Outbound, Received, StoredMessage
from core.holding import Holder
from core.i18n import words
from core.keys import Keys
from core.pictures import qr_png
from core.services import cafes, messages
from core.storage.database import Database
from core.storage.tables import kept
from core.storage.tx import Tx

log = logging.getLogger(__name__)

Receive = Callable[[str, Sequence[Received]], Awaitable[Sequence[Outbound | None]]]


class Background:
    """Work beside the requests."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Future[None]] = set()

    def __call__(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    async def finish(self, patience: float) -> None:
        """Waits for what is under way, `patience` seconds at most, then cancels it."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience)
        late = list(self._tasks)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _over(self, task: asyncio.Future[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("work in the background failed", exc_info=error)


@dataclass(frozen=True, slots=True)
class Gateways:
    """What all plugins share. `receive` is the inbox's, by the channel's name."""

    database: Database
    bell: Bell
    holder: Holder
    keys: Keys
    http: Http
    background: Background
    receive: Receive
    business: str
    public_url: str
    clock: Callable[[], datetime]

    def of(self, name: str) -> PluginGateway:
        """The gateway of the plugin whose table in plugins.toml goes by this name."""
        return PluginGateway(name, self)


class PluginGateway:
    """`core.contract.Gateway`; what each method promises stands there."""

    def __init__(self, name: str, shared: Gateways) -> None:
        self.name = name
        self.public_url = shared.public_url
        self.business = shared.business
        self.http = shared.http
        self._shared = shared

    def now(self) -> datetime:
        return self._shared.clock()

    def translate(self, language: str, sentence: str, /, **values: object) -> str:
        return words(language).text(sentence, **values)

    async def receive(self, events: Sequence[Received]) -> Sequence[Outbound | None]:
        return await self._shared.receive(self.name, events)

    async def messages_after(self, address: str, after: int) -> Sequence[StoredMessage]:
        return await self._shared.database.glance(messages.after, self.name, address, after)

    @asynccontextmanager
    async def listen(self, address: str) -> AsyncIterator[Callable[[float], Awaitable[bool]]]:
        topic = messages.stored_topic(self.name, address)
        async with self._shared.bell.subscribe([topic]) as rings:
            yield rings.wait

    def hold(self, what: str) -> AbstractAsyncContextManager[Callable[[], bool]]:
        return self._shared.holder.hold(f"{self.name}:{what}")

    async def load(self, key: str) -> str | None:
        return await self._shared.database.read(load, self.name, key)

    async def save(self, key: str, value: str) -> None:
        await self._shared.database.write(save, self.name, key, value)

    async def cafes(self) -> Sequence[CafeInfo]:
        return await self._shared.database.read(cafes.everyone)

    def sign(self, purpose: str, value: str) -> str:
        return self._shared.keys.sign(self._own(purpose), value)

    def unsign(self, purpose: str, text: str) -> str | None:
        return self._shared.keys.unsign(self._own(purpose), text)

    def qr_png(self, text: str) -> Awaitable[bytes]:
        return qr_png(text)

    def background(self, work: Awaitable[None]) -> None:
        self._shared.background(work)

    @asynccontextmanager
    async def subscribe(self, topics: Sequence[str]) -> AsyncIterator[AsyncIterator[str]]:
        async with self._shared.bell.subscribe(topics) as rings:
            yield _each(rings)

    def _own(self, purpose: str) -> str:
        """What one plugin signed is nothing to another, nor to Malva's own links."""
        return f"plugin:{self.name}:{purpose}"


async def _each(rings: Rings) -> AsyncIterator[str]:
    async for topic in rings:
        yield topic


def load(tx: Tx, owner: str, key: str) -> str | None:
    value: str | None = tx.scalar(
        sa.select(kept.c.value).where(kept.c.owner == owner, kept.c.key == key)
    )
    return value


def save(tx: Tx, owner: str, key: str, value: str) -> None:
    insert = sqlite.insert if tx.is_sqlite else postgresql.insert
    tx.execute(
        insert(kept)
        .values(owner=owner, key=key, value=value)
        .on_conflict_do_update(index_elements=[kept.c.owner, kept.c.key], set_={"value": value})
    )
