"""Programmes as those who run them see them: what is earned for money and by invitations, and how
long it is good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from core.domain import expiry, money
from core.domain.roles import Member
from core.services import cafes as cafe_service
from core.services import eventlog, lots
from core.services.errors import Missing, Rejected
from core.services.permission import Place, places, require, require_programme
from core.storage.tables import accounts, cafes, orders, programmes, referrals
from core.storage.tx import Tx

UNITS = ("points", "stamps")
MOST_POINTS = 1_000_000
MOST_MONTHS = 120
TYPICAL_OF = timedelta(days=30)
TYPICAL_MAJOR = 10
"""What an order is taken to come to where there were none: so many times what earns once."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """`earn_minor` spent gives `earn_points`; an invited friend's first paid order gives either
    side theirs. Points are good for `expiry_months`; None: for ever. `cafes`: those of `by`'s that
    use it. `whole`: whether that is all of them, so that `by` may change what belongs to it."""

    id: int
    name: str
    currency: str
    unit: str
    earn_minor: int
    earn_points: int
    inviter_points: int
    friend_points: int
    expiry_months: int | None
    cafes: Sequence[Place]
    whole: bool


class Expiry(NamedTuple):
    """What is earned today is good until `last_day`, by the clock of its cafes; `held` are all the
    points that guests have now."""

    last_day: date
    held: int


def everyone(tx: Tx, by: Member) -> Sequence[Scheme]:
    """The programmes of the cafes that are theirs."""
    require(by, "portal")
    theirs = places(tx, by)
    used = tx.execute(sa.select(cafes.c.id, cafes.c.programme_id)).all()
    foreign = {row.programme_id for row in used if not by.has(row.id)}
    wanted = {place.programme_id for place in theirs}
    rows = tx.execute(
        sa.select(programmes).where(programmes.c.id.in_(wanted)).order_by(programmes.c.id)
    )
    return [
        Scheme(
            row.id,
            row.name,
            row.currency,
            row.unit,
            row.earn_minor,
            row.earn_points,
            row.inviter_points,
            row.friend_points,
            row.expiry_months,
            [place for place in theirs if place.programme_id == row.id],
            row.id not in foreign,
        )
        for row in rows
    ]


def one(tx: Tx, by: Member, programme_id: int) -> Scheme:
    """Missing where none of their cafes uses it."""
    for scheme in everyone(tx, by):
        if scheme.id == programme_id:
            return scheme
    raise Missing("there is no such programme")


def change(
    tx: Tx,
    by: Member,
    programme_id: int,
    *,
    name: str,
    unit: str,
    earn_minor: int,
    earn_points: int,
    now: datetime,
) -> None:
    """Counts for the orders from now on; what was earned stays. Rejected where it can't be meant;
    0 points for money are possible, where only products earn."""
    require_programme(tx, by, "programme", programme_id)
    before = one(tx, by, programme_id)
    if unit not in UNITS:
        raise Rejected("unit", f"points are called {' or '.join(UNITS)}")
    if not 0 < earn_minor <= money.MAX_MAJOR * 100:
        raise Rejected("earn_minor", "the amount is above zero")
    _check_points(earn_points)
    tx.execute(
        sa.update(programmes)
        .where(programmes.c.id == programme_id)
        .values(
            name=cafe_service.clean_name(name),
            unit=unit,
            earn_minor=earn_minor,
            earn_points=earn_points,
        )
    )
    for cafe in before.cafes:
        eventlog.log(
            tx,
            "programme_changed",
            now,
            cafe_id=cafe.id,
            staff_id=by.id,
            earn_minor=earn_minor,
            earn_points=earn_points,
            unit=unit,
            currency=before.currency,
        )


def change_invitations(
    tx: Tx,
    by: Member,
    programme_id: int,
    *,
    inviter_points: int,
    friend_points: int,
    now: datetime,
) -> None:
    """Counts for the friends whose first order is paid from now on; 0: nothing. Rejected."""
    require_programme(tx, by, "programme", programme_id)
    before = one(tx, by, programme_id)
    points = {"inviter_points": inviter_points, "friend_points": friend_points}
    for value in points.values():
        _check_points(value)
    tx.execute(sa.update(programmes).where(programmes.c.id == programme_id).values(points))
    for cafe in before.cafes:
        eventlog.log(
            tx,
            "invitations_changed",
            now,
            cafe_id=cafe.id,
            staff_id=by.id,
            unit=before.unit,
            **points,
        )


def friends_lately(tx: Tx, by: Member, scheme: Scheme, now: datetime) -> int:
    """How many invited friends have paid their first order in the last 30 days."""
    return int(
        tx.scalar(
            sa.select(sa.func.count()).where(
                referrals.c.programme_id == scheme.id, referrals.c.rewarded_at > now - TYPICAL_OF
            )
        )
    )


def change_expiry(
    tx: Tx, by: Member, programme_id: int, *, months: int | None, now: datetime
) -> None:
    """Points are good for so many months from the day they came; None: for ever. `lots.set_expiry`
    says what becomes of those that guests have. Rejected."""
    require_programme(tx, by, "programme", programme_id)
    before = one(tx, by, programme_id)
    _check_months(months)
    if months == before.expiry_months:
        return
    lots.set_expiry(tx, programme_id, months, now)
    for cafe in before.cafes:
        eventlog.log(tx, "expiry_changed", now, cafe_id=cafe.id, staff_id=by.id, months=months)


def expiry_of(tx: Tx, by: Member, scheme: Scheme, months: int, now: datetime) -> Expiry:
    """What `months` would mean. Rejected."""
    _check_months(months)
    zone = lots.zone(tx, scheme.id)
    a = accounts.c
    held = tx.scalar(
        sa.select(sa.func.coalesce(sa.func.sum(a.balance), 0)).where(
            a.programme_id == scheme.id, a.balance > 0
        )
    )
    return Expiry(expiry.last_day(expiry.expires_at(now, months, zone), zone), int(held))


def _check_months(months: int | None) -> None:
    if months is not None and not 1 <= months <= MOST_MONTHS:
        raise Rejected("months", f"1 to {MOST_MONTHS}")


def _check_points(points: int) -> None:
    if not 0 <= points <= MOST_POINTS:
        raise Rejected("points", f"0 to {MOST_POINTS}")


def typical_total(tx: Tx, by: Member, scheme: Scheme, now: datetime) -> int:
    """What an order comes to at its cafes, in minor units, from the last 30 days, in whole major
    units; where there were none, a round sum."""
    mean = tx.scalar(
        sa.select(sa.func.avg(orders.c.total_minor)).where(
            orders.c.cafe_id.in_([place.id for place in scheme.cafes]),
            orders.c.received_at > now - TYPICAL_OF,
            orders.c.total_minor > 0,
        )
    )
    if mean is None:
        return scheme.earn_minor * TYPICAL_MAJOR
    major = 10 ** money.exponent(scheme.currency)
    return max(int(mean) // int(major), 1) * int(major)
