"""Lots: in a programme where points expire, what was given together expires together.

An account's lots add up to its balance, or to nothing while that is below zero. Every movement of
the ledger moves them too (`follow`), the soonest to expire first; what comes back has the dates
that it was taken with, and what was given by mistake goes as it came, the latest first. Where
points don't expire there are no lots.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.domain.expiry import expires_at, warnings_over
from core.storage.tables import accounts, cafes, lot_uses, lots, programmes
from core.storage.tx import Prepared, Tx
from core.storage.types import from_micros, to_micros

_l, _u = lots.c, lot_uses.c

Dated = tuple[datetime, int]
"""When points expire, and how many."""


def follow(
    tx: Tx,
    *,
    guest_id: int,
    programme_id: int,
    months: int,
    reference: str,
    points: int,
    balance: int,
    dates_of: str | None,
    now: datetime,
) -> None:
    """The lots of a locked account follow a movement of `points` to `balance`.

    `dates_of`: the reference of the movement that took what comes back here, or gave what is taken
    back.
    """
    if points < 0:
        order = _SOONEST if dates_of is None else _LATEST
        _take(tx, guest_id, programme_id, reference, -points, order, now)
        return
    new = max(0, min(points, balance))  # what fills a hole below zero is in no lot
    dated = _dates(tx, dates_of) if dates_of else []
    for expires, part in _split(new, dated):
        _add(
            tx,
            guest_id,
            programme_id,
            part,
            expires or expires_at(now, months, tx.once(zone, programme_id)),
            now,
        )


def overdue(tx: Tx, guest_id: int, programme_id: int, now: datetime) -> int:
    """Points of the account that are past their date and not taken off it yet: never spent."""
    found = tx.scalar(
        sa.select(sa.func.coalesce(sa.func.sum(_l.left_points), 0)).where(
            _l.guest_id == guest_id, _l.programme_id == programme_id, _l.expires_at <= now
        )
    )
    return int(found)


def left(tx: Tx, guest_id: int, programme_id: int) -> list[Dated]:
    """What is left in the account's lots, the soonest first."""
    rows = tx.execute(
        sa.select(_l.expires_at, sa.func.sum(_l.left_points).label("points"))
        .where(_l.guest_id == guest_id, _l.programme_id == programme_id, _l.left_points > 0)
        .group_by(_l.expires_at)
        .order_by(_l.expires_at)
    )
    return [(row.expires_at, int(row.points)) for row in rows]


def zone(tx: Tx, programme_id: int) -> str:
    """The time zone of the programme's cafes."""
    found = tx.scalar(
        sa.select(sa.func.min(cafes.c.timezone)).where(cafes.c.programme_id == programme_id)
    )
    return found or "UTC"


def _in_order(*order: sa.ColumnElement[Any]) -> Prepared:
    """What is left in an account's lots; what is past its date, and only waits to be taken off,
    last."""
    return Prepared(
        sa.select(_l.id, _l.left_points)
        .where(
            _l.guest_id == sa.bindparam("guest"),
            _l.programme_id == sa.bindparam("programme"),
            _l.left_points > sa.literal_column("0"),
        )
        .order_by(_l.expires_at <= sa.bindparam("now"), *order)
    )


_SOONEST = _in_order(_l.expires_at.asc(), _l.id.asc())
_LATEST = _in_order(_l.expires_at.desc(), _l.id.desc())
_LESSEN = Prepared(
    sa.update(lots)
    .where(_l.id == sa.bindparam("lot"))
    .values(left_points=_l.left_points - sa.bindparam("part"))
)
_USE = Prepared(
    sa.insert(lot_uses).values({column.name: sa.bindparam(column.name) for column in lot_uses.c})
)
_ADD = Prepared(
    sa.insert(lots).values(
        {column.name: sa.bindparam(column.name) for column in lots.c if column.name != "id"}
    )
)
_DATES = Prepared(
    sa.select(_l.expires_at, _u.points)
    .join_from(lot_uses, lots)
    .where(_u.reference == sa.bindparam("reference"))
    .order_by(_l.expires_at.desc(), _l.id)
)


def _take(
    tx: Tx,
    guest_id: int,
    programme_id: int,
    reference: str,
    points: int,
    order: Prepared,
    now: datetime,
) -> None:
    for lot, there in tx.run_all(order, guest=guest_id, programme=programme_id, now=to_micros(now)):
        part = min(points, there)
        if part == 0:
            return
        points -= part
        tx.run(_LESSEN, lot=lot, part=part)
        tx.run(_USE, reference=reference, lot_id=lot, points=part)


def _dates(tx: Tx, reference: str) -> Sequence[Dated]:
    rows = tx.run_all(_DATES, reference=reference)
    return [(from_micros(expires), points) for expires, points in rows]


def _split(points: int, dated: Sequence[Dated]) -> Iterator[tuple[datetime | None, int]]:
    """`points` with the dates that they had, the latest first; None: they have no date so far."""
    for expires, most in dated:
        if part := min(points, most):
            points -= part
            yield expires, part
    if points:
        yield None, points


def _add(
    tx: Tx, guest_id: int, programme_id: int, points: int, expires: datetime, now: datetime
) -> None:
    tx.run(
        _ADD,
        guest_id=guest_id,
        programme_id=programme_id,
        left_points=points,
        expires_at=to_micros(expires),
        warned=warnings_over(expires, now),
    )


# -- a programme's choice --------------------------------------------------------------------------


def set_expiry(tx: Tx, programme_id: int, months: int | None, now: datetime) -> None:
    """Points expire so many months after they came from now on; None: never.

    What guests have already counts as given now where points have not expired so far; where they
    have, it keeps its dates.
    """
    before = tx.scalar(
        sa.select(programmes.c.expiry_months)
        .where(programmes.c.id == programme_id)
        .with_for_update()
    )
    for table, of in ((programmes, programmes.c.id), (accounts, accounts.c.programme_id)):
        tx.execute(sa.update(table).where(of == programme_id).values(expiry_months=months))
    if months is None:
        mine = sa.select(_l.id).where(_l.programme_id == programme_id)
        tx.execute(sa.delete(lot_uses).where(_u.lot_id.in_(mine)))
        tx.execute(sa.delete(lots).where(_l.programme_id == programme_id))
    elif before is None:
        _begin(tx, programme_id, expires_at(now, months, zone(tx, programme_id)), now)


def _begin(tx: Tx, programme_id: int, expires: datetime, now: datetime) -> None:
    """One lot of each balance."""
    a = accounts.c
    balances = sa.select(
        a.guest_id,
        a.programme_id,
        a.balance,
        sa.literal(expires, _l.expires_at.type),
        sa.literal(warnings_over(expires, now)),
    ).where(a.programme_id == programme_id, a.balance > 0)
    columns = ["guest_id", "programme_id", "left_points", "expires_at", "warned"]
    tx.execute(sa.insert(lots).from_select(columns, balances))


def prove(tx: Tx) -> list[tuple[int, int]]:
    """The accounts (guest, programme) whose lots don't add up: [] is the proof."""
    a = accounts.c
    lying = (
        sa.select(sa.func.coalesce(sa.func.sum(_l.left_points), 0))
        .where(_l.guest_id == a.guest_id, _l.programme_id == a.programme_id)
        .scalar_subquery()
    )
    owned = sa.case((a.expiry_months.is_(None), 0), (a.balance < 0, 0), else_=a.balance)
    rows = tx.execute(sa.select(a.guest_id, a.programme_id).where(lying != owned))
    return [(row.guest_id, row.programme_id) for row in rows]
