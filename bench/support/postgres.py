"""A PostgreSQL for benchmarks: on disk and with its own durability, unlike that of the tests."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from tests.support.databases import Cluster, Server, binaries


@contextlib.contextmanager
def postgres() -> Iterator[str | None]:
    """The URL of an empty database, on the server of MALVA_TEST_POSTGRES or one of our own; None,
    and a line that says so, where none can be had."""
    if given := os.environ.get("MALVA_TEST_POSTGRES"):
        server = Server(given.replace("postgresql+psycopg://", "postgresql://"))
        with _database(server) as url:
            yield url
        return
    programs = binaries()
    if programs is None:
        print("PostgreSQL: left out, none is installed", file=sys.stderr)
        yield None
        return
    cluster = Cluster(programs)
    try:
        cluster.data = cluster.home / "data"  # the tests' is in memory
        with _database(cluster.start(fsync="on", synchronous_commit="on")) as url:
            yield url
    finally:
        cluster.stop()


@contextlib.contextmanager
def _database(server: Server) -> Iterator[str]:
    name = server.create()
    try:
        yield server.url(name)
    finally:
        server.drop(name)
