"""Naming the guest of a code takes as long among 1,000,000 guests as among 1,000.

Both databases are SQLite files on disk. Every guest holds a lease, a thousand of them an open one,
and those thousand are scattered over all guests. Each figure is the median of single calls, taken
turn by turn from both databases, so that whatever else the machine does happens to both.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.support.results import Result, compared
from core.domain import codes
from core.keys import Keys
from core.services import cafes, tills
from core.services.identify import Identified, identify, open_lease
from core.services.tills import Till
from core.storage.database import Database
from core.storage.migrate import migrate
from core.storage.tables import guests, leases
from core.storage.tx import Tx
from core.storage.types import to_micros

FEW, MANY = 1_000, 1_000_000
OPEN_CARDS = 1_000
GOAL = 1.5

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Town:
    """A cafe with one till, and its guests."""

    database: Database
    till: Till

    def look_up(self, tx: Tx, code: str) -> None:
        assert open_lease(tx, code, NOW) is not None

    def identify(self, tx: Tx, code: str) -> None:
        found = identify(tx, till=self.till, proof="code", text=code, now=NOW)
        assert isinstance(found, Identified)


Call = Callable[[Town, Tx, str], None]


def run() -> Iterator[Result]:
    """For look-up and identify: µs at MANY guests, beside those at FEW as the floor."""
    with tempfile.TemporaryDirectory() as folder:
        towns = [_town(Path(folder) / f"{size}.db", size) for size in (FEW, MANY)]
        try:
            yield _beside("code look-up", Town.look_up, towns)
            yield _beside("identify by code", Town.identify, towns)
        finally:
            for town in towns:
                town.database.close()


def _beside(name: str, call: Call, towns: list[Town]) -> Result:
    floor, value = (statistics.median(taken) * 1e6 for taken in _take_turns(call, towns))
    name = f"{name}: {MANY:,} guests beside {FEW:,}"
    return compared(name, value, floor, unit="µs", goal=GOAL)


def _take_turns(call: Call, towns: list[Town]) -> list[list[float]]:
    """Seconds of each call, by town; the first tenth warms up and doesn't count. Nothing is kept:
    each town's calls share a transaction, so the disk's own time is left out."""
    with ExitStack() as stack:
        txs = [Tx(stack.enter_context(town.database.writer_engine.begin())) for town in towns]
        cards = [_open_codes(tx) for tx in txs]
        times: list[list[float]] = [[] for _ in towns]
        for turn in range(OPEN_CARDS):
            for town, tx, codes_, taken in zip(towns, txs, cards, times, strict=True):
                start = time.perf_counter()
                call(town, tx, codes_[turn])
                taken.append(time.perf_counter() - start)
        for tx in txs:
            tx.connection.rollback()
    return [taken[OPEN_CARDS // 10 :] for taken in times]


# -- a town ----------------------------------------------------------------------------------------


def _town(file: Path, size: int) -> Town:
    database = Database(f"sqlite:///{file}")
    migrate(database)
    database.write_now(_settle, size)
    return Town(database, database.write_now(_open_cafe))


def _open_cafe(tx: Tx) -> Till:
    cafes.add(tx, "bife", "BIFE", "RSD", "Europe/Belgrade", NOW)
    till = tills.by_token(tx, tills.add(tx, "bife", "Bar", None, NOW))
    assert till is not None
    return till


def _settle(tx: Tx, size: int) -> None:
    """`size` guests, each with a phone and a lease; every so many-th lease is open."""
    secret = Keys(Keys.generate()).encrypt(bytes(20))
    cursor: Any = tx.connection.connection.cursor()
    cursor.executemany(
        f"INSERT INTO {guests.name} (id, public_id, name, language, phone, phone_proven, offers,"
        " secret, card_version, created_at) VALUES (?, ?, 'Ana', 'sr', ?, 1, 0, ?, 1, 0)",
        ((n, f"{n:016}", f"+3816{n:08}", secret) for n in range(1, size + 1)),
    )
    step, every = codes.step_at(NOW), size // OPEN_CARDS
    opened, expired = to_micros(codes.step_start(step + 2)), to_micros(NOW - timedelta(days=1))
    cursor.executemany(
        f"INSERT INTO {leases.name} (code, guest_id, step, number, expires_at)"
        " VALUES (?, ?, ?, 0, ?)",
        ((f"{n - 1:06}", n, step, expired if n % every else opened) for n in range(1, size + 1)),
    )


def _open_codes(tx: Tx) -> list[str]:
    """The open cards' codes, in an order that has nothing to do with where they are stored."""
    found = tx.execute(sa.select(leases.c.code).where(leases.c.expires_at > NOW)).scalars()
    return sorted(found, key=lambda code: code[::-1])
