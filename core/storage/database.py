"""Reading and writing, on SQLite and PostgreSQL alike.

`await database.write(fn, …)` runs `fn(tx, …)` in a transaction of its own and returns after the
commit; it may have to run a function again. Where many wait they share a commit: on SQLite all of
them (sqlite_writer.py), on PostgreSQL, where some run side by side, those of a kind
(postgres_writer.py). Readers have a pool of their own.

Why not the async drivers, and why one writer: docs/adr/0001-one-writer.md has the measurements.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

import psycopg
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core.contract import DomainEvent
from core.storage import engines
from core.storage.jobs import Tell
from core.storage.postgres_writer import PostgresWriter
from core.storage.sqlite_writer import SqliteWriter
from core.storage.tx import Tx

P = ParamSpec("P")
T = TypeVar("T")

UNAVAILABLE = (
    OperationalError,
    InterfaceError,
    PoolTimeout,
    sqlite3.OperationalError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)


class Database:
    """An opened database. `url` is `sqlite:///file` or `postgresql://…`."""

    def __init__(self, url: str) -> None:
        self.url = engines.parsed(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.writer_engine = engines.for_writers(self.url)
        self.reader_engine = engines.for_readers(self.url)
        self._at_hand = engines.for_readers(self.url, connections=1)
        self._listeners: list[Tell] = []
        self._readers = ThreadPoolExecutor(engines.READERS, thread_name_prefix="reader")
        kind = SqliteWriter if self.is_sqlite else PostgresWriter
        self._writer: SqliteWriter | PostgresWriter = kind(self.writer_engine, self._tell)

    async def write(self, fn: Callable[Concatenate[Tx, P], T], *a: P.args, **k: P.kwargs) -> T:
        """Runs `fn(tx, …)`; returns its result after the commit, or raises what it raised."""
        result: T = await self._writer.write(fn, a, k)
        return result

    def write_now(self, fn: Callable[Concatenate[Tx, P], T], *a: P.args, **k: P.kwargs) -> T:
        """`write` for commands and tests that have no event loop."""
        result: T = self._writer.now(fn, a, k)
        return result

    async def read(self, fn: Callable[Concatenate[Tx, P], T], *a: P.args, **k: P.kwargs) -> T:
        """Runs `fn(tx, …)` on a snapshot that it can't change."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, lambda: self.read_now(fn, *a, **k))

    async def glance(self, fn: Callable[Concatenate[Tx, P], T], *a: P.args, **k: P.kwargs) -> T:
        """`read` for one statement whose few rows an index finds. On SQLite the event loop has them
        at a quarter of what it costs to ask a thread (docs/performance.md)."""
        if not self.is_sqlite:
            return await self.read(fn, *a, **k)
        with self._at_hand.connect() as connection:
            return fn(Tx(connection), *a, **k)

    def read_now(self, fn: Callable[Concatenate[Tx, P], T], *a: P.args, **k: P.kwargs) -> T:
        with self.reader_engine.begin() as connection:
            return fn(Tx(connection), *a, **k)

    def on_commit(self, listener: Tell) -> None:
        """`listener(rings, events)` is called in a thread after each commit that has any; it must
        return at once and never raise."""
        self._listeners.append(listener)

    def close(self) -> None:
        """Finishes what is queued, then closes. Safe to call twice."""
        self._writer.close()
        self._readers.shutdown()
        self.writer_engine.dispose()
        self.reader_engine.dispose()
        self._at_hand.dispose()

    def _tell(self, rings: Sequence[str], events: Sequence[DomainEvent]) -> None:
        for listener in self._listeners:
            listener(rings, events)


def unavailable(error: BaseException) -> bool:
    """Whether the database is at fault (gone, full, locked), not what was to be written: the same
    may well pass later."""
    return isinstance(error, UNAVAILABLE)
