"""Holding what only one node may do: taken, renewed while it is needed, let go."""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from core.services import holds
from core.storage.database import Database

log = logging.getLogger(__name__)

RENEW_EVERY = holds.TTL.total_seconds() / 3
TRY_EVERY = 2.0
MARGIN = 3.0
"""So many seconds before the hold lapses, its holder stops believing in it."""


class Hold:
    """A hold that this node has. Calling it tells whether it still has; `fence` is its number."""

    def __init__(self, name: str, fence: int) -> None:
        self.name = name
        self.fence = fence
        self._good_until = math.inf

    def keep(self, since: float) -> None:
        self._good_until = since + holds.TTL.total_seconds() - MARGIN

    def lose(self) -> None:
        self._good_until = -math.inf

    def __call__(self) -> bool:
        return asyncio.get_running_loop().time() < self._good_until


class Holder:
    """What this node holds. SQLite belongs to one process: one that starts takes over at once what
    a killed one still held, and nothing has to be renewed."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._mine: set[str] = set()
        self.node = secrets.token_hex(6)

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[Hold]:
        """Waits until this node alone holds `name`, and lets go of it at the end."""
        hold = await self._take(name)
        renewing = None
        if not self._database.is_sqlite:
            hold.keep(since=asyncio.get_running_loop().time())
            renewing = asyncio.create_task(self._renew(hold))
        try:
            yield hold
        finally:
            if renewing is not None:
                renewing.cancel()
            self._mine.discard(name)
            with suppress(SQLAlchemyError):
                await self._database.write(holds.release, name, hold.fence, self._clock())

    async def _take(self, name: str) -> Hold:
        while True:
            if name not in self._mine:
                self._mine.add(name)
                try:
                    if (fence := await self._try(name)) is not None:
                        return Hold(name, fence)
                except BaseException:
                    self._mine.discard(name)
                    raise
                self._mine.discard(name)
            await asyncio.sleep(TRY_EVERY)

    async def _try(self, name: str) -> int | None:
        try:
            return await self._database.write(
                holds.take, name, self.node, self._clock(), steal=self._database.is_sqlite
            )
        except SQLAlchemyError as error:
            log.warning("could not take the hold on %s: %s", name, type(error).__name__)
            return None

    async def _renew(self, hold: Hold) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(RENEW_EVERY)
            since = loop.time()
            try:
                kept = await self._database.write(holds.renew, hold.name, hold.fence, self._clock())
            except SQLAlchemyError as error:
                log.warning("could not renew the hold on %s: %s", hold.name, type(error).__name__)
                continue
            if not kept:
                log.warning("another node has taken over %s", hold.name)
                hold.lose()
                return
            hold.keep(since)
