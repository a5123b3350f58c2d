"""How much an employee may do at tills: points given by hand in a day, look-ups within an hour.

Counted from the log, whichever till it was at, with the employee's row held until the commit: two
devices at once don't make it twice as much.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from core.domain import days
from core.domain.roles import Member
from core.services import staff as staff_service
from core.services.errors import LimitReached
from core.services.till_sessions import TillSession
from core.storage.tables import cafes, event_log, staff
from core.storage.tx import Tx

HOUR = timedelta(hours=1)
LATELY = timedelta(days=30)
BY_HAND = ("purchase_added", "purchase_undone", "order_given", "order_taken_back")
"""Kinds of entries whose `points` an employee gave a guest; those of what was undone are below
zero."""

_e = event_log.c


class Lately(NamedTuple):
    """The most that somebody did in the last 30 days: points by hand on one day, look-ups within
    one hour."""

    points: int
    look_ups: int


def look_up(tx: Tx, by: TillSession, now: datetime) -> None:
    """LimitReached where they may look up nobody more within this hour."""
    limit = _hold(tx, by).lookups_an_hour
    if limit is None:
        return
    counted = tx.scalar(
        sa.select(sa.func.count())
        .select_from(event_log)
        .where(_e.staff_id == by.member.id, _e.at > now - HOUR, _e.kind == "looked_up")
    )
    if counted >= limit:
        raise LimitReached("limit_look_ups", "too many look-ups within an hour", limit, left=0)


def manual_points(tx: Tx, by: TillSession, points: int, now: datetime) -> None:
    """LimitReached where `points` are more than they may still give today, by the cafe's clock. To
    be asked before the log says that they were given."""
    limit = _hold(tx, by).points_a_day
    if limit is None:
        return
    zone = tx.scalar(sa.select(cafes.c.timezone).where(cafes.c.id == by.till.cafe.id))
    today = days.begins(days.day_of(now, zone), zone)
    left = limit - sum(points for _, points in _by_hand(tx, by.member.id, today))
    if points > left:
        raise LimitReached("limit_points", "too many points in a day", limit, left=max(left, 0))


def lately(tx: Tx, by: Member, staff_id: int, zone: str, now: datetime) -> Lately:
    """What a limit for them is to be compared with; days are the `zone`'s. Missing for whom `by`
    may not see."""
    since = now - LATELY
    found = staff_service.one(tx, by, staff_id)
    points: Counter[object] = Counter()
    for at, given in _by_hand(tx, found.id, since):
        points[days.day_of(at, zone)] += given
    looked = tx.execute(
        sa.select(_e.at)
        .where(_e.staff_id == found.id, _e.at >= since, _e.kind == "looked_up")
        .order_by(_e.at)
    )
    times = list(looked.scalars())
    look_ups = (n + 1 - bisect_right(times, at - HOUR) for n, at in enumerate(times))
    return Lately(max(points.values(), default=0), max(look_ups, default=0))


def _hold(tx: Tx, by: TillSession) -> sa.Row[tuple[int | None, int | None]]:
    """Their limits; the row is ours until the commit."""
    return tx.execute(
        sa.select(staff.c.points_a_day, staff.c.lookups_an_hour)
        .where(staff.c.id == by.member.id)
        .with_for_update(key_share=True)
    ).one()


def _by_hand(tx: Tx, staff_id: int, since: datetime) -> list[tuple[datetime, int]]:
    """When they gave how many points."""
    entries = tx.execute(
        sa.select(_e.at, _e.data).where(
            _e.staff_id == staff_id, _e.at >= since, _e.kind.in_(BY_HAND)
        )
    )
    return [(entry.at, int(entry.data["points"])) for entry in entries]
