"""The `malva` command's groups, and what all of them need: settings and an opened database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a command that fails early need not wait for these
    from core.settings import Settings
    from core.storage.database import Database


def settings() -> Settings:
    """The process's settings, from the environment and `.env`; SettingsError."""
    from core.settings import Settings

    return Settings.from_environment(os.environ)


@contextmanager
def opened() -> Iterator[Database]:
    """The database of the settings; an empty one gets its tables first.

    One that is behind is left alone: an older Malva may be serving from it.
    """
    from core.services.errors import NotPossible
    from core.storage.database import Database
    from core.storage.migrate import head, migrate, version

    database = Database(settings().database_url)
    try:
        found = version(database)
        if found is None:
            migrate(database)
        elif found != head():
            raise NotPossible(
                f"the database is at schema {found}, this Malva needs {head()}: run malva migrate"
            )
        yield database
    finally:
        database.close()


def now() -> datetime:
    return datetime.now(UTC)
