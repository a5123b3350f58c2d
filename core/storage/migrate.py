"""Bringing the schema up to date, on one node while the others wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError, ProgrammingError

from core.storage.database import Database

_HERE = Path(__file__).parent / "migrations"
_LOCK = 0x6D616C76  # "malv", our number among PostgreSQL's advisory locks


class NewerDatabase(Exception):
    """The database was migrated by a newer Malva than this one."""


@cache
def head() -> str:
    """The revision that this code wants: the last file of migrations/versions, by name."""
    return max(path.stem for path in (_HERE / "versions").glob("[0-9]*.py")).split("_")[0]


def version(database: Database) -> str | None:
    """The database's revision; None for an empty one. NewerDatabase where we don't know it."""
    try:
        with database.reader_engine.connect() as connection:
            found = connection.execute(
                sa.text("SELECT version_num FROM alembic_version")
            ).scalar_one_or_none()
    except (OperationalError, ProgrammingError) as error:
        if "alembic_version" not in str(error):
            raise
        return None
    if found is not None and found > head():
        raise NewerDatabase(
            f"the database is at schema {found}, this Malva knows up to {head()}: "
            "run the newer Malva, or restore a backup made before the update"
        )
    return None if found is None else str(found)


def migrate(database: Database) -> tuple[str | None, str]:
    """Brings the schema up to date; (revision before, revision after)."""
    before = version(database)
    if before != head():
        with _alone(database) as connection:
            _upgrade(connection)
    return before, head()


@contextmanager
def _alone(database: Database) -> Iterator[sa.Connection]:
    """A transaction that other nodes wait for: SQLite's write lock, an advisory lock elsewhere."""
    with database.writer_engine.begin() as connection:
        if not database.is_sqlite:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        yield connection


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    attributes: dict[str, Any] = config.attributes
    attributes["connection"] = connection
    command.upgrade(config, "head")
