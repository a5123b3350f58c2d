"""Orders that came without a guest: for 48 hours the staff can give each to whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from core.services import alarms, claims, limits, till_sessions
from core.services.claims import CLAIM_WITHIN
from core.services.paid_orders import Counted
from core.services.purchases import open_visit
from core.services.till_sessions import TillSession
from core.storage.tables import cafes, order_lines
from core.storage.tables import orders as rows
from core.storage.tx import Tx

MOST = 20

_o, _l = rows.c, order_lines.c


class Unclaimed(NamedTuple):
    """`total_minor` is what refunds have left of it; `lines` what was bought, as the till system
    calls it, with decimal text for how much; `timezone` is the cafe's."""

    source: str
    order_id: str
    total_minor: int
    received_at: datetime
    timezone: str
    lines: Sequence[tuple[str, str]]


def recent(tx: Tx, by: TillSession, now: datetime) -> Sequence[Unclaimed]:
    """Of the till's cafe, the newest first."""
    left = _o.total_minor - _o.refunded_minor
    found = tx.execute(
        sa.select(
            _o.id, _o.source, _o.order_id, left.label("left"), _o.received_at, cafes.c.timezone
        )
        .join_from(rows, cafes)
        .where(
            _o.cafe_id == by.till.cafe.id,
            _o.guest_id.is_(None),
            _o.received_at >= now - CLAIM_WITHIN,
            left > 0,
        )
        .order_by(_o.received_at.desc(), _o.id.desc())
        .limit(MOST)
    ).all()
    lines = _lines(tx, [row.id for row in found])
    return [
        Unclaimed(
            row.source,
            row.order_id,
            row.left,
            row.received_at,
            row.timezone,
            lines.get(row.id, []),
        )
        for row in found
    ]


def give(tx: Tx, by: TillSession, source: str, order_id: str, visit: str, now: datetime) -> Counted:
    """The order is the visit's guest's, and earns for them. From then on it counts as entered by
    whoever gave it; `misgiven.take_back` undoes it. UnknownOrder, UnknownVisit, AlreadyClaimed,
    TooLate, LimitReached."""
    cafe = by.till.cafe
    guest_id = open_visit(tx, by, visit, now).guest_id
    counted = claims.claim_order(
        tx, cafe=cafe, source=source, order_id=order_id, visit=visit, now=now
    )
    if not counted.duplicate:
        points = counted.response["points"]
        limits.manual_points(tx, by, points, now)
        tx.execute(
            sa.update(rows)
            .where(_o.cafe_id == cafe.id, _o.source == source, _o.order_id == order_id)
            .values(staff_id=by.member.id, given_at=now)
        )
        till_sessions.log(
            tx,
            by,
            "order_given",
            now,
            guest_id=guest_id,
            order=order_id,
            points=points,
        )
        alarms.look(tx, by.member.id, guest_id, now)
    return counted


def _lines(tx: Tx, order_rows: Sequence[int]) -> dict[int, list[tuple[str, str]]]:
    found: dict[int, list[tuple[str, str]]] = {}
    for row in tx.execute(
        sa.select(_l.order_row, _l.name, _l.quantity)
        .where(_l.order_row.in_(order_rows))
        .order_by(_l.order_row, _l.position)
    ):
        found.setdefault(row.order_row, []).append((row.name, row.quantity))
    return found
