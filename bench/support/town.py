"""A cafe with a till and guests who have just been identified there, and the orders that follow."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
import sqlalchemy as sa

from bench.support.load import post
from core.keys import Keys
from core.services import cafes, guests, ledger, tills, visits
from core.storage.database import Database
from core.storage.migrate import migrate
from core.storage.tables import contacts
from core.storage.tx import Tx

GUESTS = 500


@dataclass(frozen=True)
class Town:
    """`visits`: public ids, one for each guest."""

    token: str
    visits: list[str]

    def orders(self) -> Iterator[bytes]:
        """Requests that report an order each, never the same twice."""
        for number, visit in zip(itertools.count(1), itertools.cycle(self.visits)):
            body = {"order_id": f"B{number}", "total": "85.50", "currency": "RSD", "visit": visit}
            yield post(
                "/api/v1/orders",
                orjson.dumps(body),
                f"Authorization: Bearer {self.token}",
                f"Idempotency-Key: key-{number}",
            )


def settle(url: str) -> Town:
    """Makes the town in an empty database."""
    database = Database(url)
    try:
        migrate(database)
        return database.write_now(_settle)
    finally:
        database.close()


def _settle(tx: Tx) -> Town:
    now, keys = datetime.now(UTC), Keys(Keys.generate())
    cafe_id = cafes.add(tx, "bife", "BIFE", "RSD", "Europe/Belgrade", now)
    token = tills.add(tx, "bife", "Bar", None, now)
    till = tills.by_token(tx, token)
    assert till is not None
    names = []
    for number in range(GUESTS):
        guest = guests.add(tx, name="Ana", language="sr", cafe_id=cafe_id, keys=keys, now=now)
        tx.execute(
            sa.insert(contacts).values(
                channel="bench", address=str(number), guest_id=guest, created_at=now, heard_at=now
            )
        )
        ledger.lock(tx, guest, till.cafe.programme_id)
        visit = visits.open_visit(
            tx, cafe_id=cafe_id, till_id=till.id, guest_id=guest, proof="qr", now=now
        )
        names.append(visit.public_id)
    return Town(token, names)
