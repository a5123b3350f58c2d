"""How each database is opened: for its writers, and for readers that can't write."""

from __future__ import annotations

import time
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine, make_url

POSTGRES_WRITERS = 4
READERS = 4

PING_AFTER = 1.0
"""Seconds without use after which a connection is asked whether it is still there."""

PATIENCE = 10_000
"""Milliseconds for which SQLite waits for another process that writes."""
AT_ONCE: dict[str, Any] = {"malva_at_once": True}
"""An execution option: don't wait for it at all."""


def parsed(url: str) -> URL:
    """The address with the driver that we use."""
    found = make_url(url)
    postgresql = found.get_backend_name() == "postgresql"
    return found.set(drivername="postgresql+psycopg" if postgresql else "sqlite")


def for_writers(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, connections=1, begin=_begin_immediate)
    return _postgres(url, POSTGRES_WRITERS)


def for_readers(url: URL, connections: int = READERS) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = _sqlite(url, connections=connections, begin=_begin)
        event.listen(engine, "connect", _only_reads)
        return engine
    return _postgres(url, connections, postgresql_readonly=True)


def _postgres(url: URL, connections: int, **options: Any) -> Engine:
    engine = sa.create_engine(url, pool_size=connections, max_overflow=0, execution_options=options)
    event.listen(engine, "checkin", _note_the_time)
    event.listen(engine, "checkout", _ping)
    return engine


def _note_the_time(connection: Any, record: Any) -> None:
    record.info["idle_since"] = time.monotonic()


def _ping(connection: Any, record: Any, fairy: Any) -> None:
    """As `pool_pre_ping`, but only for a connection that was idle for a while: a busy server is
    spared a round trip for every order."""
    if time.monotonic() - record.info.get("idle_since", time.monotonic()) < PING_AFTER:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except psycopg.Error:
        raise sa.exc.DisconnectionError from None  # the pool opens another


def _sqlite(url: URL, *, connections: int, begin: Any) -> Engine:
    engine = sa.create_engine(
        url,
        poolclass=sa.QueuePool,
        pool_size=connections,
        max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": PATIENCE / 1000},
    )
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", begin)
    return engine


def _set_up_sqlite(connection: Any, record: Any) -> None:
    """WAL lets readers read beside the writer; FULL because a power cut is a kill too. Pages are
    copied back 8,000 at a time: one that many orders change is copied once."""
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "wal_autocheckpoint=8000",
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
    patience = 0 if connection.get_execution_options().keys() & AT_ONCE.keys() else PATIENCE
    if connection.info.get("patience") != patience:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={patience}")
        connection.info["patience"] = patience
    connection.exec_driver_sql("BEGIN IMMEDIATE")
