"""SQLite is for one server: two would each send by a pace of their own, and take the bot from each
other."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.contract import MalvaError
from core.storage import engines


class Served(MalvaError):
    """Another process serves this database."""


@contextmanager
def alone(url: str) -> Iterator[None]:
    """Nobody else serves the database meanwhile; for PostgreSQL anybody may. Served; OSError.

    The lock is the system's and dies with its process, so a kill leaves nothing to clear away. It
    is on a file beside the database: SQLite loses its own locks when others close its file.
    """
    parsed = engines.parsed(url)
    if parsed.get_backend_name() != "sqlite":
        yield
        return
    path = Path(parsed.database or "").resolve()
    with Path(f"{path}.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Served(
                f"{path} is being served by process {lock.read()} already; "
                "PostgreSQL is for several nodes"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
