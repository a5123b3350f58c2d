"""The alarm: one card gets far more by an employee's hand than the others (core/domain/feeding.py).

Purchases entered by hand count, and orders that were given to a guest, unless they were undone. It
is looked for at each of them, and once an hour among all. Owners are told, on the portal and in
their own messengers (services/staff_contacts.py): nobody below them, whom it may be about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from core.contract import Link, Outbound
from core.domain.feeding import TIMES, WITHIN, Fed, standing_out
from core.domain.roles import Member
from core.i18n import Words, words
from core.services import eventlog, messages, staff_contacts
from core.services.errors import Missing
from core.services.permission import require
from core.storage.tables import alarms, guests, orders, programmes, staff
from core.storage.tx import Tx

KIND = "staff_alarm"
QUIET = timedelta(days=90)
"""So long nothing more is said of the same employee and card."""

_a, _o = alarms.c, orders.c
Facts = Mapping[str, Any]


class Unseen(NamedTuple):
    """An alarm that no owner has put away. `guest` is "" where they were erased since."""

    id: int
    staff_id: int
    employee: str
    guest: str
    programme: str
    unit: str
    times: int
    points: int


def look(tx: Tx, staff_id: int, guest_id: int, now: datetime) -> None:
    """After the employee has given the guest something by hand."""
    by_hand = sa.and_(*_by_hand(now), _o.staff_id == staff_id, _o.guest_id == guest_id)
    if tx.scalar(sa.select(sa.func.count()).where(by_hand)) >= TIMES:
        _look_at(tx, _o.staff_id == staff_id, now)


def sweep(tx: Tx, now: datetime) -> bool:
    """All employees; cards may have become one meanwhile. False: nothing is left to do."""
    _look_at(tx, sa.true(), now)
    return False


def unseen(tx: Tx, by: Member) -> Sequence[Unseen]:
    """The newest first."""
    require(by, "alarms")
    found = tx.execute(
        sa.select(
            _a.id,
            _a.staff_id,
            staff.c.name,
            guests.c.name,
            programmes.c.name,
            programmes.c.unit,
            _a.times,
            _a.points,
        )
        .join_from(alarms, staff, staff.c.id == _a.staff_id)
        .join(guests, guests.c.id == _a.guest_id)
        .join(programmes, programmes.c.id == _a.programme_id)
        .where(_a.seen_at.is_(None))
        .order_by(_a.id.desc())
    )
    return [Unseen._make(row) for row in found]


def see(tx: Tx, by: Member, alarm_id: int, now: datetime) -> None:
    """Puts it away, for all owners. Missing where there is none, or it was before."""
    require(by, "alarms")
    login = tx.scalar(
        sa.select(staff.c.login)
        .join_from(alarms, staff, staff.c.id == _a.staff_id)
        .where(_a.id == alarm_id)
    )
    one = sa.and_(_a.id == alarm_id, _a.seen_at.is_(None))
    if not tx.execute(sa.update(alarms).where(one).values(seen_at=now, seen_by=by.id)).rowcount:
        raise Missing("there is no such alarm")
    eventlog.log(tx, "alarm_seen", now, staff_id=by.id, login=login)


# -- as owners are told of it ----------------------------------------------------------------------


def render(facts: Facts, language: str, portal: str) -> Outbound:
    """For an owner's messenger. `facts`: employee, programme (their names), times, points, unit,
    and the owner's language, where they chose one; `portal` is its address."""
    w = words(facts["language"] or language)
    return Outbound(
        text=said(facts, language),
        kind=KIND,
        language=w.language,
        links=(Link(w.text("Owner's portal"), portal),),
        variables={
            "employee": facts["employee"],
            "programme": facts["programme"],
            "points": w.points(facts["points"], facts["unit"]),
            "times": w.number(facts["times"]),
        },
    )


def said(facts: Facts, language: str) -> str:
    w = words(facts["language"] or language)
    lines = (
        w.text(
            "🔔 {employee}: one card gets far more by hand than the others ({programme}).",
            employee=facts["employee"],
            programme=facts["programme"],
        ),
        how_much(facts["times"], facts["points"], facts["unit"], w),
        w.text("Whose card it is stands in the portal, on the overview."),
    )
    return "\n".join(lines)


def how_much(times: int, points: int, unit: str, w: Words) -> str:
    """`2,400 points with 14 purchases within 30 days.`"""
    return w.count(
        "{points} with {count} purchase within {days} days.",
        "{points} with {count} purchases within {days} days.",
        times,
        points=w.points(points, unit),
        days=WITHIN.days,
    )


# -- looking ---------------------------------------------------------------------------------------


def _look_at(tx: Tx, whom: sa.ColumnElement[bool], now: datetime) -> None:
    found = tx.execute(
        sa.select(
            _o.staff_id,
            _o.programme_id,
            _o.guest_id,
            sa.func.count().label("times"),
            sa.func.sum(_o.points).label("points"),
        )
        .join_from(orders, staff, staff.c.id == _o.staff_id)
        .where(*_by_hand(now), whom, staff.c.role != "owner")
        .group_by(_o.staff_id, _o.programme_id, _o.guest_id)
    )
    cards: dict[tuple[int, int], list[Fed]] = defaultdict(list)
    for row in found:
        fed = Fed(row.guest_id, row.times, int(row.points))
        cards[row.staff_id, row.programme_id].append(fed)
    for (staff_id, programme_id), of_one in sorted(cards.items()):
        for fed in standing_out(of_one):
            _raise(tx, staff_id, programme_id, fed, now)


def _by_hand(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        _o.staff_id.is_not(None),
        _o.guest_id.is_not(None),
        _o.received_at >= now - WITHIN,
        _o.refunded_minor < _o.total_minor,
    )


def _raise(tx: Tx, staff_id: int, programme_id: int, fed: Fed, now: datetime) -> None:
    """Once; the employee's row is ours until the commit, so of two who notice it one says it."""
    employee = tx.execute(
        sa.select(staff.c.login, staff.c.name)
        .where(staff.c.id == staff_id)
        .with_for_update(key_share=True)
    ).one()
    pattern = {"staff_id": staff_id, "guest_id": fed.guest_id, "programme_id": programme_id}
    if tx.scalar(sa.select(_a.id).filter_by(**pattern).where(_a.raised_at > now - QUIET)):
        return
    how = {"times": fed.times, "points": fed.points}
    tx.execute(sa.insert(alarms).values(**pattern, **how, raised_at=now))
    programme = tx.execute(
        sa.select(programmes.c.name, programmes.c.unit).where(programmes.c.id == programme_id)
    ).one()
    facts = {"employee": employee.name, "programme": programme.name, "unit": programme.unit, **how}
    eventlog.log(tx, KIND, now, login=employee.login, unit=programme.unit, **how)
    for chat in staff_contacts.of_owners(tx):
        messages.put(
            tx,
            contact_id=chat.contact_id,
            channel=chat.channel,
            lane=messages.NOTIFICATION,
            kind=KIND,
            body={**facts, "language": chat.language},
            now=now,
        )
