"""A guest of a running Malva, who holds a card, picks rewards and answers what a till asks."""

from __future__ import annotations

import sqlalchemy as sa

from core.services import cards, ledger, redemptions
from core.storage import tables
from core.testkit.running import Running
from tests.test_pages import new_guest


class Holder:
    """Of the first cafe, with `points` in its programme."""

    def __init__(self, malva: Running, points: int = 1500, **known) -> None:
        self.malva, self.db = malva, malva.database
        self.row, _ = new_guest(malva, **known)
        self.give(points)

    def give(self, points: int) -> None:
        """Out of nothing, or (below zero) into it."""
        now = self.malva.clock()
        entry = {"guest_id": self.row, "programme_id": 1, "cafe_id": 1, "kind": "opening"}
        entry |= {"reference": f"test:{now}", "because": [], "points": points, "now": now}
        self.db.write_now(lambda tx: ledger.add_entry(tx, **entry))

    def card(self) -> cards.Card:
        return self.db.write_now(cards.lease_code, self.row, self.malva.keys, self.malva.clock())

    def pick(self, *rewards: int) -> redemptions.Redemption:
        what = {"guest_id": self.row, "programme_id": 1, "reward_ids": rewards or (1,)}
        what |= {"keys": self.malva.keys, "now": self.malva.clock()}
        return self.db.write_now(lambda tx: redemptions.pick(tx, **what))

    def says(self, yes: bool) -> None:
        """To what a till asked last."""
        r = tables.redemptions.c
        query = sa.select(r.public_id).where(r.guest_id == self.row).order_by(r.id.desc())
        asked = self.db.read_now(lambda tx: tx.scalar(query))
        self.db.write_now(redemptions.answer, self.row, asked, yes, self.malva.clock())

    @property
    def public_id(self) -> str:
        query = sa.select(tables.guests.c.public_id).where(tables.guests.c.id == self.row)
        return self.db.read_now(lambda tx: tx.scalar(query))

    @property
    def balance(self) -> int:
        return self.db.read_now(ledger.balance, self.row, 1)
