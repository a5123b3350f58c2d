"""Orders in: from the HTTP request to what is committed, idempotent, with its outbox row.

Malva runs as `malva serve` in a process of its own, and so does the bare endpoint; the load comes
from this one, over 32 connections. The two take turns. The second floor writes the rows of an order
with nothing but the driver, one transaction for each, on the same schema and the same settings.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.support import floors, server, town
from bench.support.load import Load, fire
from bench.support.postgres import postgres
from bench.support.results import Result, compared

ROUNDS = 3
SECONDS = 3.0


async def run() -> AsyncIterator[Result]:
    with tempfile.TemporaryDirectory(prefix="malva-bench-") as folder:
        url = f"sqlite:///{folder}/malva.db"
        async for result in _beside_floors("SQLite", url, Path(folder)):
            yield result
        with postgres() as postgres_url:
            if postgres_url is not None:
                async for result in _beside_floors("PostgreSQL", postgres_url, Path(folder)):
                    yield result


async def _beside_floors(kind: str, url: str, folder: Path) -> AsyncIterator[Result]:
    place = town.settle(url)
    requests = place.orders()
    malvas, bares = [], []
    with ExitStack() as stack:
        malva = stack.enter_context(server.malva(folder, url))
        bare = stack.enter_context(server.bare())
        await _fire(malva, requests, 1.0)  # warms up
        await _fire(bare, requests, 0.5)
        for _ in range(ROUNDS):
            bares.append((await _fire(bare, requests, SECONDS)).per_second)
            load = await _fire(malva, requests, SECONDS)
            assert set(load.statuses) == {201}, load.statuses
            malvas.append(load)
    orders = statistics.median(load.per_second for load in malvas)
    late = statistics.median(load.percentile(0.99) for load in malvas)
    if kind == "SQLite":
        yield compared(
            "orders in, SQLite, beside an endpoint that answers 200",
            orders,
            statistics.median(bares),
            unit="orders/s",
            goal=0.3,
        )
    yield compared(
        f"orders in, {kind}, beside the rows alone (p99 {late:.0f} ms)",
        orders,
        floors.orders_per_second(url, SECONDS),
        unit="orders/s",
        goal=0.8,
    )


async def _fire(port: int, requests: Iterator[bytes], lasting: float) -> Load:
    return await fire(server.HOST, port, requests, lasting)
