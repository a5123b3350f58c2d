"""Writing to SQLite: one connection, and many functions to a commit.

The functions run on the event loop that waits for them, and only the commit, which waits for the
disk, is in a thread: two threads that both want the interpreter keep taking it from each other
(docs/performance.md). Meanwhile the loop reads what comes next, and that is the next commit's.
Whatever is not as usual (the lock is another's, a function fails) is done by a thread from its
beginning to its end.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from core.storage.engines import AT_ONCE
from core.storage.jobs import Function, Job, Tell, answer, fail, soon, tell_of
from core.storage.tx import Tx

GROUP = 128
"""At most so many writes share a commit: enough to pay for an fsync, few enough to be quick."""


class _Line:
    """What waits on one event loop. `busy`: some of it is being written, or is about to be."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.waiting: list[Job] = []
        self.busy = False

    def take(self) -> list[Job]:
        group, self.waiting = self.waiting[:GROUP], self.waiting[GROUP:]
        return [job for job in group if job.wanted]


class SqliteWriter:
    """`tell` is called in a thread after each commit that has something to tell."""

    def __init__(self, engine: Engine, tell: Tell) -> None:
        self._engine, self._tell = engine, tell
        self._connection_free = threading.Lock()
        self._lines: dict[asyncio.AbstractEventLoop, _Line] = {}
        self._committing = ThreadPoolExecutor(1, "commit")
        self._unusual = ThreadPoolExecutor(1, "writer")
        self._closed = False

    async def write(self, fn: Function, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if self._closed:
            raise RuntimeError("the database is closed")
        loop = asyncio.get_running_loop()
        line = self._lines.get(loop)
        if line is None:
            line = self._lines[loop] = _Line(loop)
        job = Job(fn, args, kwargs, loop.create_future())
        line.waiting.append(job)
        if not line.busy:
            line.busy = True
            loop.call_soon(self._gather, line, 0)
        return await job.future  # type: ignore[misc]

    def now(self, fn: Function, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        job = Job(fn, args, kwargs)
        self._carry_out([job])
        return job.outcome()

    def close(self) -> None:
        """Finishes what waits; the loops may stand still meanwhile."""
        self._closed = True
        self._committing.shutdown()
        self._unusual.shutdown()
        for line in self._lines.values():
            while group := line.take():
                self._carry_out(group)
                soon(line.loop, answer, group)

    # -- on the event loop -----------------------------------------------------------------------

    def _gather(self, line: _Line, before: int) -> None:
        """As long as each turn of the loop brings more, they go together: a commit has its
        price."""
        if before < len(line.waiting) < GROUP:
            line.loop.call_soon(self._gather, line, len(line.waiting))
        else:
            self._write(line)

    def _write(self, line: _Line) -> None:
        group = line.take()
        if not group:
            line.busy = bool(line.waiting)
            if line.busy:
                line.loop.call_soon(self._gather, line, 0)
            return
        connection = self._run(group)
        if connection is None:
            self._hand(self._unusual, line, self._carry_out, group)
        else:
            self._hand(self._committing, line, self._commit, group, connection)

    def _hand(self, thread: ThreadPoolExecutor, line: _Line, do: Any, *args: Any) -> None:
        def then() -> None:
            do(*args)
            soon(line.loop, self._written, line, args[0])

        thread.submit(then)

    def _run(self, group: Sequence[Job]) -> sa.Connection | None:
        """Runs them in a transaction that is still open then; None: not possible, or one failed,
        and all is as it was."""
        if not self._connection_free.acquire(blocking=False):
            return None
        connection = self._engine.connect().execution_options(**AT_ONCE)
        try:
            connection.begin()
            together = Tx(connection)
            for job in group:
                job.run(Tx(connection, beside=together))
        except Exception:
            connection.close()
            self._connection_free.release()
            return None
        return connection

    def _written(self, line: _Line, group: Sequence[Job]) -> None:
        answer(group)
        self._gather(line, 0)

    # -- in a thread -----------------------------------------------------------------------------

    def _commit(self, group: Sequence[Job], connection: sa.Connection) -> None:
        try:
            with connection:
                connection.commit()
        except Exception as error:
            fail(group, error)
        finally:
            self._connection_free.release()
        tell_of(group, self._tell)

    def _carry_out(self, group: Sequence[Job]) -> None:
        """From the beginning to the end; what fails is undone alone. Savepoints are only for this:
        for each of them SQLite keeps a copy of every page that is written, which is a good part of
        what an order costs."""
        run = Job.run if len(group) == 1 else Job.run_alone
        try:
            with self._connection_free, self._engine.begin() as connection:
                for job in group:
                    run(job, Tx(connection))
        except Exception as error:
            fail(group, error)
        tell_of(group, self._tell)
