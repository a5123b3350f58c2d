"""Writing to PostgreSQL: some threads with a connection each, and under load several functions of a
kind to a commit.

Of a kind, so that what locks rows in another order never shares a transaction. Where two groups
wait for each other all the same, or a function fails, each goes on alone.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from core.storage.engines import POSTGRES_WRITERS
from core.storage.jobs import Function, Job, Tell, answer, fail, soon, tell_of
from core.storage.tx import Tx

GROUP = 8
"""At most so many functions share a commit: their locks are held until it."""
RETRIES = 5
"""A transaction that lost a deadlock or a serialization race is run again."""

_Kind = tuple[asyncio.AbstractEventLoop, Function]


class PostgresWriter:
    """`tell` is called in a thread after each commit that has something to tell."""

    def __init__(self, engine: Engine, tell: Tell) -> None:
        self._engine, self._tell = engine, tell
        self._threads = ThreadPoolExecutor(POSTGRES_WRITERS, "writer")
        self._waiting: dict[_Kind, list[Job]] = {}
        self._lock = threading.Lock()

    async def write(self, fn: Function, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        loop = asyncio.get_running_loop()
        kind, job = (loop, fn), Job(fn, args, kwargs, loop.create_future())
        with self._lock:
            self._waiting.setdefault(kind, []).append(job)
        self._threads.submit(self._next, kind)
        return await job.future  # type: ignore[misc]

    def now(self, fn: Function, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        job = Job(fn, args, kwargs)
        self._carry_out([job])
        return job.outcome()

    def close(self) -> None:
        """Finishes what waits."""
        self._threads.shutdown()

    # -- in a thread -----------------------------------------------------------------------------

    def _next(self, kind: _Kind) -> None:
        """As often as something began to wait; an earlier time may have taken it along."""
        if group := self._take(kind):
            self._carry_out([job for job in group if job.wanted])
            soon(kind[0], answer, group)

    def _take(self, kind: _Kind) -> Sequence[Job]:
        with self._lock:
            waiting = self._waiting.pop(kind, [])
            if len(waiting) > GROUP:
                self._waiting[kind] = waiting[GROUP:]
        return waiting[:GROUP]

    def _carry_out(self, group: Sequence[Job]) -> None:
        try:
            together = len(group) > 1 and self._together(group)
        except Exception as error:  # of the commit: whether it is one, nobody knows
            fail(group, error)
            together = True
        if not together:
            for job in group:
                self._alone(job)
        tell_of(group, self._tell)

    def _together(self, group: Sequence[Job]) -> bool:
        """False: one of them failed, and all is as it was."""
        with self._engine.connect() as connection:
            transaction = connection.begin()
            try:
                shared = Tx(connection)
                for job in group:
                    job.run(Tx(connection, beside=shared))
                shared.tell_other_nodes([ring for job in group for ring in job.tx.rings])
            except Exception:
                return False
            transaction.commit()
        return True

    def _alone(self, job: Job) -> None:
        for left in range(RETRIES, -1, -1):
            try:
                with self._engine.begin() as connection:
                    tx = Tx(connection)
                    job.run(tx)
                    tx.tell_other_nodes(tx.rings)
                return
            except Exception as error:
                job.error = error
                if not left or not _lost_a_race(error):
                    return


def _lost_a_race(error: Exception) -> bool:
    """PostgreSQL's 40001 (serialization) and 40P01 (deadlock): the same again may well pass."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlstate", None) in ("40001", "40P01")
