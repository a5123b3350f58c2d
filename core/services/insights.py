"""How a cafe is doing, in a few figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core.domain.roles import Member
from core.services.permission import Place, places, require
from core.storage.tables import guests, memberships, orders
from core.storage.tx import Tx

WEEK = 7


class Takings(NamedTuple):
    """Orders that came: how many, how many of them have a guest, what was left of their totals
    after refunds (minor units), and the points they gave."""

    orders: int
    claimed: int
    minor: int
    points: int


class Figures(NamedTuple):
    """`today` since midnight, `week` the last seven days with today, both in the cafe's time
    zone. `new_guests`: those of the week."""

    cafe: Place
    guests: int
    new_guests: int
    today: Takings
    week: Takings


def overview(tx: Tx, by: Member, now: datetime) -> Sequence[Figures]:
    """A cafe of theirs each."""
    require(by, "figures")
    return [_figures(tx, place, now) for place in places(tx, by)]


def _figures(tx: Tx, cafe: Place, now: datetime) -> Figures:
    local = now.astimezone(ZoneInfo(cafe.timezone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    week = midnight - timedelta(days=WEEK - 1)
    return Figures(
        cafe,
        _guests(tx, cafe.id),
        _guests(tx, cafe.id, since=week),
        _takings(tx, cafe.id, midnight),
        _takings(tx, cafe.id, week),
    )


def _guests(tx: Tx, cafe_id: int, since: datetime | None = None) -> int:
    """Guests of the cafe; those who were erased or merged into another are none."""
    count = (
        sa.select(sa.func.count())
        .select_from(memberships.join(guests))
        .where(
            memberships.c.cafe_id == cafe_id,
            guests.c.erased_at.is_(None),
            guests.c.merged_into.is_(None),
        )
    )
    if since is not None:
        count = count.where(memberships.c.since >= since)
    return int(tx.scalar(count))


def _takings(tx: Tx, cafe_id: int, since: datetime) -> Takings:
    row = tx.execute(
        sa.select(
            sa.func.count(),
            sa.func.count(orders.c.guest_id),
            sa.func.coalesce(sa.func.sum(orders.c.total_minor - orders.c.refunded_minor), 0),
            sa.func.coalesce(sa.func.sum(orders.c.points), 0),
        ).where(orders.c.cafe_id == cafe_id, orders.c.received_at >= since)
    ).one()
    return Takings(*(int(value) for value in row))
