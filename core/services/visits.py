"""Visits: opening one when a guest is identified at a till, and finding the one of an order."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Literal, NamedTuple, cast

import sqlalchemy as sa

from core.domain.visits import VISIT, holds
from core.services import guests
from core.storage.tables import visits
from core.storage.tx import Prepared, Row, Tx
from core.storage.types import from_micros, to_micros

Proof = Literal["qr", "code", "phone"]


class VisitRow(NamedTuple):
    """An interval [opened_at, ends_at) at a till that belongs to one guest. `taken`: an order that
    didn't name it has claimed it."""

    id: int
    public_id: str
    cafe_id: int
    till_id: int
    guest_id: int
    proof: Proof
    opened_at: datetime
    ends_at: datetime
    taken: bool

    def holds(self, paid_at: datetime) -> bool:
        """Whether an order that names this visit, and was paid then, belongs to it."""
        return holds(self.opened_at, paid_at)


_v = visits.c
COLUMNS = (
    _v.id,
    _v.public_id,
    _v.cafe_id,
    _v.till_id,
    _v.guest_id,
    _v.proof,
    _v.opened_at,
    _v.ends_at,
    _v.taken,
)
"""What `of_row` reads from."""
_NAMED = Prepared(
    sa.select(*COLUMNS).where(
        _v.public_id == sa.bindparam("public_id"), _v.cafe_id == sa.bindparam("cafe")
    )
)
_AT = Prepared(
    sa.select(*COLUMNS)
    .where(
        _v.till_id == sa.bindparam("till"),
        _v.opened_at <= sa.bindparam("at", type_=sa.BigInteger),
        _v.ends_at > sa.bindparam("at", type_=sa.BigInteger),
    )
    .order_by(_v.opened_at.desc(), _v.id.desc())
    .with_for_update()
)
_TAKE = Prepared(
    sa.update(visits).where(_v.id == sa.bindparam("visit")).values(taken=sa.bindparam("yes"))
)


def open_visit(
    tx: Tx,
    *,
    cafe_id: int,
    till_id: int,
    guest_id: int,
    proof: Proof,
    now: datetime,
) -> VisitRow:
    """The till's visit from now on, for 15 minutes; the one before ends here, whosever it was.

    The guest is that cafe's from now on.
    """
    _end(tx, till_id, now)
    guests.join(tx, guest_id, cafe_id, now)
    public_id, ends_at = secrets.token_urlsafe(12), now + VISIT
    row_id = tx.scalar(
        sa.insert(visits)
        .values(
            public_id=public_id,
            cafe_id=cafe_id,
            till_id=till_id,
            guest_id=guest_id,
            proof=proof,
            opened_at=now,
            ends_at=ends_at,
            taken=False,
        )
        .returning(_v.id)
    )
    return VisitRow(row_id, public_id, cafe_id, till_id, guest_id, proof, now, ends_at, taken=False)


def named(tx: Tx, cafe_id: int, public_id: str) -> VisitRow | None:
    """The cafe's visit of that id, at whichever till and however long ago."""
    row = tx.run(_NAMED, public_id=public_id, cafe=cafe_id)
    return None if row is None else of_row(row)


def for_order(tx: Tx, till_id: int, at: datetime) -> VisitRow | None:
    """The visit that the till had at that moment, unless an order has claimed it already. Whoever
    else looks for it waits for our commit."""
    row = tx.run(_AT, till=till_id, at=to_micros(at))
    visit = None if row is None else of_row(row)
    return None if visit is None or visit.taken else visit


def take(tx: Tx, visit: VisitRow) -> None:
    """An order that doesn't name it claims the visit: later ones are somebody else's."""
    tx.run(_TAKE, visit=visit.id, yes=True)


def _end(tx: Tx, till_id: int, now: datetime) -> None:
    tx.execute(sa.update(visits).where(_v.till_id == till_id, _v.ends_at > now).values(ends_at=now))


def of_row(row: Row) -> VisitRow:
    id_, public_id, cafe, till, guest, proof, opened_at, ends_at, taken = row
    return VisitRow(
        id_,
        public_id,
        cafe,
        till,
        guest,
        cast(Proof, proof),
        from_micros(opened_at),
        from_micros(ends_at),
        bool(taken),
    )
