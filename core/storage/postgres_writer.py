"""Writing to PostgreSQL: some threads, a transaction for each function."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from core.storage.engines import POSTGRES_WRITERS
from core.storage.jobs import Function, Job, Tell, tell_of
from core.storage.tx import Tx

RETRIES = 5
"""A transaction that lost a deadlock or a serialization race is run again."""


class PostgresWriter:
    """`tell` is called in a thread after each commit that has something to tell."""

    def __init__(self, engine: Engine, tell: Tell) -> None:
        self._engine, self._tell = engine, tell
        self._threads = ThreadPoolExecutor(POSTGRES_WRITERS, "writer")

    async def write(self, fn: Function) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.now, fn)

    def now(self, fn: Function) -> Any:
        job = Job(fn)
        for left in range(RETRIES, -1, -1):
            try:
                with self._engine.begin() as connection:
                    job.run(Tx(connection))
                break
            except Exception as error:
                if not left or not _lost_a_race(error):
                    raise
        tell_of([job], self._tell)
        return job.result

    def close(self) -> None:
        """Finishes what waits."""
        self._threads.shutdown()


def _lost_a_race(error: Exception) -> bool:
    """PostgreSQL's 40001 (serialization) and 40P01 (deadlock): the same again may well pass."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlstate", None) in ("40001", "40P01")
