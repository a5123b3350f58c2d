"""Whose an order is: by the till's reward card, by the visit it names, by the visit of its till.

Where none of these decides, it is nobody's, rather than the wrong guest's.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from core.domain.visits import moment_of
from core.services import guests as guest_service
from core.services import ledger, visits
from core.services.errors import UnknownVisit
from core.storage.tables import guests, tills
from core.storage.tables import visits as visit_rows
from core.storage.tx import Prepared, Tx


class Owner(NamedTuple):
    """The guest of an order, and the visit that said so (None: a reward card did). `takes`: the
    order didn't name the visit, and claims it for itself."""

    guest: ledger.Holder
    visit: visits.VisitRow | None = None
    takes: bool = False


def by_reward_card(tx: Tx, cafe_id: int, phone: str, now: datetime) -> Owner | None:
    """The guest who proved this phone (E.164), else the only one who typed it."""
    guest_id = by_phone(tx, phone)
    if guest_id is None:
        return None
    guest_service.join(tx, guest_id, cafe_id, now)
    return Owner(ledger.holder(tx, guest_id))


def by_name(tx: Tx, cafe_id: int, visit_id: str, paid_at: datetime) -> Owner | None:
    """The guest of the visit that the order names, if it was paid in time. UnknownVisit."""
    row = tx.run(_VISIT_AND_GUEST, visit=visit_id, cafe=cafe_id)
    if row is None:
        raise UnknownVisit("this cafe has no such visit")
    visit = visits.of_row(row[: -len(ledger.HOLDER)])
    if not visit.holds(paid_at):
        return None
    guest = ledger.holder_of(tx, visit.guest_id, row[-len(ledger.HOLDER) :])
    return None if guest.erased else Owner(guest, visit)


_VISIT_AND_GUEST = Prepared(
    sa.select(*visits.COLUMNS, *ledger.HOLDER)
    .join_from(visit_rows, guests, guests.c.id == visit_rows.c.guest_id)
    .where(
        visit_rows.c.public_id == sa.bindparam("visit"),
        visit_rows.c.cafe_id == sa.bindparam("cafe"),
    )
)


def by_interval(
    tx: Tx, till_id: int, paid_at: datetime | None, arrived_at: datetime, *, live: bool
) -> Owner | None:
    """The guest of the visit that the till had when the order was paid, if it is the first one."""
    at = moment_of(paid_at, arrived_at, live=live)
    visit = None if at is None else visits.for_order(tx, till_id, at)
    if visit is None:
        return None
    guest = ledger.holder(tx, visit.guest_id)
    return None if guest.erased else Owner(guest, visit, takes=True)


_TILL = Prepared(
    sa.select(tills.c.id).where(
        tills.c.cafe_id == sa.bindparam("cafe"),
        tills.c.station == sa.bindparam("station"),
        tills.c.revoked_at.is_(None),
    )
)


def till_of(tx: Tx, cafe_id: int, station: str) -> int | None:
    """The till that the POS knows as `station`; None unless exactly one is."""
    rows = tx.run_all(_TILL, cafe=cafe_id, station=station)
    return rows[0][0] if len(rows) == 1 else None


_BY_PHONE = Prepared(
    sa.select(guests.c.id, guests.c.phone_proven)
    .where(
        guests.c.phone == sa.bindparam("phone"),
        guests.c.erased_at.is_(None),
        guests.c.merged_into.is_(None),
    )
    .order_by(guests.c.phone_proven.desc())
)


def by_phone(tx: Tx, phone: str) -> int | None:
    """The guest of a phone number: who proved it, else the only one who typed it."""
    rows = tx.run_all(_BY_PHONE, phone=phone)
    if len(rows) == 1 or (rows and rows[0][1]):
        return int(rows[0][0])
    return None
