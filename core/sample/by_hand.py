"""What a cashier entered by hand in the last month: most of it for one card, so that the demo's
owner finds an alarm."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.domain.feeding import WITHIN
from core.services import alarms, cafes, eventlog
from core.storage.tables import orders, staff
from core.storage.tx import Tx

EVERY = 12
"""Of the other guests' orders, each of so many was entered by hand too."""

_o = orders.c


def enter(tx: Tx, slug: str, login: str, now: datetime) -> None:
    """The fullest card's orders of the month become the cashier's, with some of the others'."""
    cafe_id = cafes.get(tx, slug)
    staff_id = tx.scalar(sa.select(staff.c.id).where(staff.c.login == login))
    lately = (_o.cafe_id == cafe_id, _o.guest_id.is_not(None), _o.received_at >= now - WITHIN)
    fullest = tx.scalar(
        sa.select(_o.guest_id)
        .where(*lately)
        .group_by(_o.guest_id)
        .order_by(sa.func.count().desc(), _o.guest_id)
    )
    by_hand = tx.execute(
        sa.select(orders)
        .where(*lately, sa.or_(_o.guest_id == fullest, _o.id % EVERY == 0))
        .order_by(_o.id)
    ).all()
    tx.execute(
        sa.update(orders).where(_o.id.in_([row.id for row in by_hand])).values(staff_id=staff_id)
    )
    for row in by_hand:
        _log(tx, row, staff_id)
    alarms.sweep(tx, now)


def _log(tx: Tx, row: sa.Row[Any], staff_id: int) -> None:
    eventlog.log(
        tx,
        "purchase_added",
        row.received_at,
        cafe_id=row.cafe_id,
        guest_id=row.guest_id,
        staff_id=staff_id,
        order=row.order_id,
        total_minor=row.total_minor,
        currency=row.currency,
        points=row.points,
    )
