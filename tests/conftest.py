"""Fixtures for every test: databases, a browser, and the one event loop kind that Malva runs on."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import argon2
import pytest

if TYPE_CHECKING:
    from core.storage.database import Database
    from core.storage.tx import Tx

pytest_plugins = ["tests.support.databases", "tests.support.browser", "tests.support.scheduling"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """`@pytest.mark.anyio` tests run on asyncio alone."""
    return "asyncio"


def pytest_configure() -> None:
    """Passwords at the cost of the library's own profile for test suites: hashing that is slow on
    purpose is not what they test.
    https://argon2-cffi.readthedocs.io/en/stable/parameters.html"""
    cheap, hasher = argon2.profiles.CHEAPEST, argon2.PasswordHasher.__init__
    costs = (cheap.time_cost, cheap.memory_cost, cheap.parallelism)
    hasher.__defaults__ = (*costs, *hasher.__defaults__[len(costs) :])


@pytest.fixture(scope="session")
def database_template() -> Callable[[str], None]:
    """`database_url` and its kin hold Malva's tables, migrated once and copied for each test."""

    def migrated(url: str) -> None:
        from core.storage.database import Database
        from core.storage.migrate import migrate

        database = Database(url)
        try:
            migrate(database)
        finally:
            database.close()

    return migrated


@pytest.fixture
def database(database_url: str) -> Iterator["Database"]:
    from core.storage.database import Database

    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def tx(database: "Database") -> Iterator["Tx"]:
    """An open transaction, on either database, of which nothing stays."""
    from core.storage.tx import Tx

    with database.writer_engine.begin() as connection:
        yield Tx(connection)
        connection.rollback()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that uses a browser or PostgreSQL carries its mark, whether or not it says so."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if "browser" in fixtures:
            item.add_marker(pytest.mark.browser)
        if "postgres_server" in fixtures:
            item.add_marker(pytest.mark.postgres)
