"""Rings after commits: in this process, and across nodes by PostgreSQL's LISTEN and NOTIFY.

A ring only wakes; it may come for nothing, and who must not miss anything looks at the database
from time to time as well.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from core.contract import DomainEvent
from core.storage.database import Database
from core.storage.tx import Tx

log = logging.getLogger(__name__)

LOOK_UP_EVERY = 1.0
RECONNECT_AFTER = 1.0


class Rings:
    """One listener's rings: each topic once, however often it rang since it was looked at."""

    def __init__(self) -> None:
        self._rung: dict[str, None] = {}
        self._event = asyncio.Event()

    def add(self, topic: str) -> None:
        self._rung[topic] = None
        self._event.set()

    async def wait(self, timeout: float) -> bool:
        """Until something rang, which is forgotten then; False: nothing did for `timeout` s."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(timeout, 0)):
                await self._event.wait()
        rung = self._event.is_set()
        self._rung.clear()
        self._event.clear()
        return rung

    async def __aiter__(self) -> AsyncIterator[str]:
        while True:
            await self._event.wait()
            self._event.clear()
            topics = list(self._rung)
            self._rung.clear()
            for topic in topics:
                yield topic


class Bell:
    """`start` on the event loop whose listeners it wakes; `stop` before the database closes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: defaultdict[str, set[Rings]] = defaultdict(set)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        database.on_commit(self._committed)

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        if not self._database.is_sqlite:
            self._thread = threading.Thread(target=self._listen, name="bell", daemon=True)
            self._thread.start()

    async def stop(self) -> None:
        self._stopping.set()
        self._loop = None
        if self._thread is not None:
            with suppress(SQLAlchemyError):
                await self._database.write(Tx.ring, "bell")  # it looks up, and sees that it's over
            await asyncio.to_thread(self._thread.join)

    @asynccontextmanager
    async def subscribe(self, topics: Iterable[str]) -> AsyncIterator[Rings]:
        """What rings from now on: `async for topic in rings`, or `await rings.wait(timeout)`."""
        rings, topics = Rings(), list(topics)
        for topic in topics:
            self._listeners[topic].add(rings)
        try:
            yield rings
        finally:
            for topic in topics:
                self._listeners[topic].discard(rings)
                if not self._listeners[topic]:
                    del self._listeners[topic]

    async def wait(self, topic: str, timeout: float) -> bool:
        """Until `topic` rings; False: it didn't for `timeout` seconds."""
        async with self.subscribe([topic]) as rings:
            return await rings.wait(timeout)

    # -- in other threads ---------------------------------------------------------------------

    def _committed(self, rings: Sequence[str], events: Sequence[DomainEvent]) -> None:
        if rings:
            self._wake(rings)

    def _wake(self, topics: Sequence[str]) -> None:
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # the loop has just closed
                loop.call_soon_threadsafe(self._ring, topics)

    def _ring(self, topics: Sequence[str]) -> None:
        for topic in topics:
            for rings in self._listeners.get(topic, ()):
                rings.add(topic)

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen_once()
            except psycopg.Error as error:
                log.warning(
                    "listening for other nodes: %s; again in a second", type(error).__name__
                )
                self._stopping.wait(RECONNECT_AFTER)

    def _listen_once(self) -> None:
        with psycopg.connect(self._address(), autocommit=True) as connection:
            connection.execute("LISTEN malva")
            self._wake(list(self._listeners))  # rings were missed while nobody listened
            while not self._stopping.is_set():
                for notify in connection.notifies(timeout=LOOK_UP_EVERY, stop_after=1):
                    self._wake([notify.payload])

    def _address(self) -> str:
        url: Any = self._database.url.set(drivername="postgresql")
        return str(url.render_as_string(hide_password=False))
