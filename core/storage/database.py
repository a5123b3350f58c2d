"""Reading and writing, on SQLite and PostgreSQL alike.

`await database.write(fn, …)` runs `fn(tx, …)` in a transaction of its own and returns after the
commit. On SQLite one writer thread takes all that has queued up into one transaction (group
commit): a failing function rolls back alone and nobody is answered before the commit. On
PostgreSQL some writer threads run a transaction each. Either may have to run a function again.
Readers have a pool of their own.

Why not the async drivers, and why one writer: docs/adr/0001-one-writer.md has the measurements.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Concatenate, ParamSpec, TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core.contract import DomainEvent
from core.storage.tx import Tx

P = ParamSpec("P")
T = TypeVar("T")
Listener = Callable[[Sequence[str], Sequence[DomainEvent]], None]

GROUP = 128
"""At most so many writes share a commit: enough to pay for an fsync, few enough to be quick."""
POSTGRES_WRITERS = 4
READERS = 4
UNAVAILABLE = (
    OperationalError,
    InterfaceError,
    PoolTimeout,
    sqlite3.OperationalError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
CLOSING_EVERY = 0.05
"""Seconds after which a writer looks whether the database is being closed."""
RETRIES = 5
"""A PostgreSQL transaction that lost a deadlock or a serialization race is run again."""


class Database:
    """An opened database. `url` is `sqlite:///file` or `postgresql://…`."""

    def __init__(self, url: str) -> None:
        self.url = _with_driver(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.writer_engine = _engine(self.url, reader=False)
        self.reader_engine = _engine(self.url, reader=True)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._turns: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
        self._listeners: list[Listener] = []
        self._closing = threading.Event()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._writers = [
            threading.Thread(target=self._work, name=f"writer-{n}", daemon=True)
            for n in range(1 if self.is_sqlite else POSTGRES_WRITERS)
        ]
        for thread in self._writers:
            thread.start()

    async def write(self, fn: Callable[Concatenate[Tx, P], T], *a: P.args, **k: P.kwargs) -> T:
        """Runs `fn(tx, …)`; returns its result after the commit, or raises what it raised."""
        loop = asyncio.get_running_loop()
        job = _Job(fn, a, k, loop)
        waiting = self._turns.setdefault(loop, [])
        if not waiting:
            loop.call_soon(self._gather, loop, 0)
        waiting.append(job)
        result: T = await job.future
        return result

    def _gather(self, loop: asyncio.AbstractEventLoop, before: int) -> None:
        """As long as each turn of the event loop brings more, they go to the writer together: a
        commit has its price, and so have two threads that fight for the interpreter."""
        waiting = self._turns.get(loop, [])
        if before < len(waiting) < GROUP:
            loop.call_soon(self._gather, loop, len(waiting))
        else:
            self._submit(loop)

    def _submit(self, loop: asyncio.AbstractEventLoop) -> None:
        for job in self._turns.pop(loop, []):
            self._jobs.put(job)

    def write_now(self, fn: Callable[Concatenate[Tx, P], T], *a: P.args, **k: P.kwargs) -> T:
        """`write` for commands and tests that have no event loop."""
        job = _Job(fn, a, k)
        self._jobs.put(job)
        result: T = job.future.result()
        return result

    async def read(self, fn: Callable[Concatenate[Tx, P], T], *a: P.args, **k: P.kwargs) -> T:
        """Runs `fn(tx, …)` on a snapshot that it can't change."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, lambda: self.read_now(fn, *a, **k))

    def read_now(self, fn: Callable[Concatenate[Tx, P], T], *a: P.args, **k: P.kwargs) -> T:
        with self.reader_engine.begin() as connection:
            return fn(Tx(connection), *a, **k)

    def on_commit(self, listener: Listener) -> None:
        """`listener(rings, events)` is called in a writer's thread after each commit that has
        any; it must return at once and never raise."""
        self._listeners.append(listener)

    def close(self) -> None:
        """Finishes what is queued, then closes. Safe to call twice."""
        self._closing.set()
        for loop in list(self._turns):
            self._submit(loop)
        for _ in self._writers:
            self._jobs.put(None)
        for thread in self._writers:
            thread.join()
        self._writers.clear()
        self._readers.shutdown()
        self.writer_engine.dispose()
        self.reader_engine.dispose()

    # -- in the writer's thread ---------------------------------------------------------------

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            group = [job]
            while self.is_sqlite and len(group) < GROUP:
                try:
                    more = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    self._jobs.put(None)
                    break
                group.append(more)
            self._commit([one for one in group if not one.future.cancelled()])

    def _commit(self, group: list[_Job]) -> None:
        """Without savepoints at first: for each of them SQLite keeps a copy of every page that is
        written, which is a good part of what an order costs. Where one fails, all begin again."""
        error = self._attempt(group, savepoints=False)
        if error is not None and len(group) > 1:
            error = self._attempt(group, savepoints=True)
        if error is not None:
            for job in group:
                job.error = error
        self._tell([job for job in group if job.error is None])
        _answer(group)

    def _attempt(self, group: list[_Job], *, savepoints: bool) -> Exception | None:
        """Runs them in one transaction; what undid it all, for those who wait."""
        for left in range(RETRIES, -1, -1):
            try:
                with self.writer_engine.begin() as connection:
                    self._run(_Turn(connection, group, savepoints))
            except Exception as error:
                if not left or self.is_sqlite or not _lost_a_race(error):
                    return error
            else:
                return None
        raise AssertionError("the last round returns")

    def _run(self, turn: _Turn) -> None:
        """On SQLite the functions run on the event loop that waits for them, and only the waiting
        for the lock and for the disk stays here: two threads that both want the interpreter cost
        a third more than one (docs/performance.md)."""
        loop = turn.loop if self.is_sqlite else None
        if loop is None or self._closing.is_set():
            turn.take()
        else:
            try:
                loop.call_soon_threadsafe(turn.take)
            except RuntimeError:  # it has just closed
                turn.take()
            while not turn.over.wait(CLOSING_EVERY):
                if self._closing.is_set():  # the loop waits for us: we don't wait for it
                    turn.take()
        if turn.error is not None:
            raise turn.error

    def _tell(self, committed: list[_Job]) -> None:
        rings = [ring for job in committed for ring in job.tx.rings]
        events = [event for job in committed for event in job.tx.events]
        if rings or events:
            for listener in self._listeners:
                listener(rings, events)


class _Turn:
    """What one transaction does: run once, by whoever takes it first."""

    def __init__(self, connection: sa.Connection, group: Sequence[_Job], savepoints: bool) -> None:
        self.connection, self.group, self.savepoints = connection, group, savepoints
        self.over = threading.Event()
        self.error: Exception | None = None
        self._taking = threading.Lock()

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop on which all of the group wait."""
        first = self.group[0].loop if self.group else None
        return first if all(job.loop is first for job in self.group) else None

    def take(self) -> None:
        if not self._taking.acquire(blocking=False):
            return
        try:
            for job in self.group:
                job.run(Tx(self.connection), savepoint=self.savepoints)
        except Exception as error:
            self.error = error
        finally:
            self.over.set()


class _Job:
    """One function that waits for its transaction; whoever waits for it does so in `loop`, or in
    a thread of their own."""

    __slots__ = ("args", "error", "fn", "future", "kwargs", "loop", "result", "tx")

    def __init__(
        self,
        fn: Callable[..., Any],
        args: Any,
        kwargs: Any,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.fn, self.args, self.kwargs, self.loop = fn, args, kwargs, loop
        self.future: Any = Future() if loop is None else loop.create_future()
        self.error: BaseException | None = None
        self.result: Any = None

    def run(self, tx: Tx, *, savepoint: bool) -> None:
        """With a savepoint an error is this function's alone, otherwise the transaction's."""
        self.tx, self.error = tx, None
        if not savepoint:
            self.result = self.fn(tx, *self.args, **self.kwargs)
            tx.flush()
            return
        tx.savepoint()
        try:
            self.result = self.fn(tx, *self.args, **self.kwargs)
            tx.flush()
        except Exception as error:
            tx.rollback_to_savepoint()
            self.error = error
        else:
            tx.release_savepoint()

    def resolve(self) -> None:
        """In the thread of whoever waits, unless that is blocked."""
        if self.future.done():  # cancelled meanwhile
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


def _answer(group: Sequence[_Job]) -> None:
    """One wake-up for each event loop that waits, however many there are in the group: waking it
    for each would cost more than an order's statements."""
    waiting: dict[asyncio.AbstractEventLoop | None, list[_Job]] = {}
    for job in group:
        waiting.setdefault(job.loop, []).append(job)
    for loop, jobs in waiting.items():
        if loop is None:
            _resolve(jobs)
            continue
        with suppress(RuntimeError):  # the loop has just closed
            loop.call_soon_threadsafe(_resolve, jobs)


def _resolve(jobs: Sequence[_Job]) -> None:
    for job in jobs:
        job.resolve()


def unavailable(error: BaseException) -> bool:
    """Whether the database is at fault (gone, full, locked), not what was to be written: the same
    may well pass later."""
    return isinstance(error, UNAVAILABLE)


def _lost_a_race(error: Exception) -> bool:
    """PostgreSQL's 40001 (serialization) and 40P01 (deadlock): the same again may well pass."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlstate", None) in ("40001", "40P01")


def _with_driver(url: str) -> URL:
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    return parsed.set(drivername="sqlite")


def _engine(url: URL, *, reader: bool) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(
            url,
            poolclass=sa.QueuePool,
            pool_size=READERS if reader else 1,
            max_overflow=0,
            connect_args={"check_same_thread": False, "timeout": 10},
        )
        event.listen(engine, "connect", _set_up_sqlite)
        if reader:
            event.listen(engine, "connect", _only_reads)
        event.listen(engine, "begin", _begin if reader else _begin_immediate)
        return engine
    return sa.create_engine(
        url,
        pool_size=READERS if reader else POSTGRES_WRITERS,
        max_overflow=0,
        pool_pre_ping=True,
        execution_options={"postgresql_readonly": True} if reader else {},
    )


def _set_up_sqlite(connection: Any, record: Any) -> None:
    """WAL lets readers read beside the writer; FULL because a power cut is a kill too."""
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "busy_timeout=10000",
        "foreign_keys=ON",
        "cache_size=-32000",
        "temp_store=MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _only_reads(connection: Any, record: Any) -> None:
    connection.execute("PRAGMA query_only=ON")


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _begin_immediate(connection: sa.Connection) -> None:
    """The write lock first: a deferred one lets two read, then both write, and one loses."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


__all__ = ["UNAVAILABLE", "Database", "Listener", "OperationalError", "unavailable"]
