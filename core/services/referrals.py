"""Friends who came by a guest's invitation, and what both get for the first order that is paid.

A referral is open until then (`guest.invited`, so that any other order costs nothing more), and
again once that order was refunded whole and the friend has paid no other. Only somebody new counts:
who turns out to have been a guest before, by a proven phone or by a merge, was not invited. What
was given by then stays: no points are lost where two guests become one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from core.services import invitations, ledger, rewards
from core.services.cafes import CafeRow
from core.services.notices import Notice, notify
from core.storage.tables import cafes, guests, orders, referrals
from core.storage.tables import programmes as programme_rows
from core.storage.tx import Prepared, Tx

_r, _g, _o = referrals.c, guests.c, orders.c
_OPEN = _r.rewarded_at.is_(None)


class Due(NamedTuple):
    """An open referral, and what an order in a programme gives for it."""

    id: int
    inviter_id: int
    inviter_points: int
    friend_points: int


def add(tx: Tx, code: str, friend_id: int, now: datetime) -> bool:
    """A guest who has just registered came by an invitation. False: by one that is nobody's."""
    promise = invitations.look_up(tx, code)
    if promise is None or promise.inviter_id == friend_id:
        return False
    tx.execute(
        sa.insert(referrals).values(
            inviter_id=promise.inviter_id, friend_id=friend_id, created_at=now
        )
    )
    _mark(tx, friend_id, invited=True)
    return True


def drop(tx: Tx, friend_id: int) -> None:
    """The guest turns out not to be new: nobody gets anything for them any more."""
    tx.execute(sa.delete(referrals).where(_r.friend_id == friend_id, _OPEN))
    _mark(tx, friend_id, invited=False)


_DUE = Prepared(
    sa.select(_r.id, _r.inviter_id, programme_rows.c.inviter_points, programme_rows.c.friend_points)
    .select_from(referrals.join(programme_rows, sa.true()))
    .where(
        _r.friend_id == sa.bindparam("friend"),
        _OPEN,
        programme_rows.c.id == sa.bindparam("programme"),
    )
    .with_for_update(of=referrals)
)


def due(tx: Tx, friend: ledger.Holder, programme_id: int) -> Due | None:
    """What a paid order of the guest's gives for the invitation that they came by; None: nothing.

    Until the transaction ends no other order finds it.
    """
    if not friend.invited:
        return None
    row = tx.run(_DUE, friend=friend.id, programme=programme_id)
    return None if row is None else Due(*row)


def reward(
    tx: Tx,
    cafe: CafeRow,
    friend: ledger.Holder,
    due: Due,
    *,
    order_row: int,
    turn: str,
    now: datetime,
) -> None:
    """Both get their points, and are told. An inviter who was erased gets none. `turn` is the
    order's name in references."""
    inviter = ledger.holder(tx, due.inviter_id)
    inviter_points = 0 if inviter.erased else due.inviter_points
    tx.execute(
        sa.update(referrals)
        .where(_r.id == due.id)
        .values(
            programme_id=cafe.programme_id,
            order_row=order_row,
            inviter_points=inviter_points,
            friend_points=due.friend_points,
            rewarded_at=now,
        )
    )
    _mark(tx, friend.id, invited=False)
    move = _Move(cafe.id, cafe.name, cafe.programme_id, cafe.unit, f"referral:{turn}", now)
    _post(tx, move, friend, due.friend_points, "invited", "invitation_points")
    _post(tx, move, inviter, inviter_points, "invitation", "invitation_points")


def take_back(tx: Tx, order_row: int, now: datetime) -> bool:
    """An order was refunded whole, or given to the friend by mistake: if it was what an invitation
    was rewarded for, another order that the friend has paid takes its place, or else both give the
    points back. False: nothing has moved."""
    row = tx.execute(_GIVEN, {"order": order_row}).first()
    if row is None:
        return False
    friend = ledger.holder(tx, row.friend_id)
    other = tx.scalar(
        sa.select(sa.func.min(_o.id)).where(
            _o.guest_id == friend.id, _o.total_minor > _o.refunded_minor, _o.id != order_row
        )
    )
    this = sa.update(referrals).where(_r.id == row.id)
    if other is not None:
        tx.execute(this.values(order_row=other))
        return False
    tx.execute(this.values(order_row=None, inviter_points=0, friend_points=0, rewarded_at=None))
    _mark(tx, friend.id, invited=True)
    reference = f"referral_return:{ledger.turn(order_row, row.taken_back)}"
    move = _Move(row.cafe_id, row.cafe, row.programme_id, row.unit, reference, now)
    inviter = ledger.holder(tx, row.inviter_id)
    _post(tx, move, friend, -row.friend_points, "invitation_return", "invitation_taken_back")
    _post(tx, move, inviter, -row.inviter_points, "invitation_return", "invitation_taken_back")
    return True


_GIVEN = (
    sa.select(
        _r.id,
        _r.inviter_id,
        _r.friend_id,
        _r.inviter_points,
        _r.friend_points,
        _r.programme_id,
        programme_rows.c.unit,
        _o.cafe_id,
        _o.taken_back,
        cafes.c.name.label("cafe"),
    )
    .join_from(referrals, orders, _o.id == _r.order_row)
    .join(cafes, cafes.c.id == _o.cafe_id)
    .join(programme_rows, programme_rows.c.id == _r.programme_id)
    .where(_r.order_row == sa.bindparam("order"))
)


def follow_merge(tx: Tx, keep: int, other: int) -> None:
    """`other` is `keep` now. Of the two the one who was here first may have been somebody new when
    they came; the later one was not, and nobody has invited themselves."""
    first, later = _by_age(tx, keep, other)
    drop(tx, later)
    if _came(tx, later):  # and has been rewarded: once is enough
        drop(tx, first)
    for side in (_r.inviter_id, _r.friend_id):
        tx.execute(sa.update(referrals).where(side == other).values({side: keep}))
    tx.execute(sa.delete(referrals).where(_r.inviter_id == _r.friend_id))
    still_open = tx.scalar(sa.select(sa.exists().where(_r.friend_id == keep, _OPEN)))
    _mark(tx, keep, invited=bool(still_open))
    _mark(tx, other, invited=False)


def _by_age(tx: Tx, one: int, another: int) -> Sequence[int]:
    return list(
        tx.execute(
            sa.select(_g.id).where(_g.id.in_([one, another])).order_by(_g.created_at, _g.id)
        ).scalars()
    )


def _came(tx: Tx, guest_id: int) -> bool:
    return bool(tx.scalar(sa.select(sa.exists().where(_r.friend_id == guest_id))))


def _mark(tx: Tx, guest_id: int, *, invited: bool) -> None:
    tx.execute(sa.update(guests).where(_g.id == guest_id).values(invited=invited))


# -- points ----------------------------------------------------------------------------------------


class _Move(NamedTuple):
    """Where points move, by which ledger reference."""

    cafe_id: int
    cafe: str
    programme_id: int
    unit: str
    reference: str
    now: datetime


def _post(
    tx: Tx, move: _Move, guest: ledger.Holder, points: int, rule: str, notice: Notice
) -> None:
    if not points:
        return
    because = [{"rule": rule, "points": points}]
    balance = ledger.add_entry(
        tx,
        guest_id=guest.id,
        programme_id=move.programme_id,
        cafe_id=move.cafe_id,
        kind="referral",
        reference=move.reference,
        points=points,
        because=because,
        now=move.now,
    )
    facts: dict[str, Any] = {
        "cafe": move.cafe,
        "points": points,
        "unit": move.unit,
        "balance": balance,
        "because": because,
    }
    facts |= rewards.outlook(tx, move.programme_id, balance - points, balance, move.now)
    notify(tx, guest.id, notice, facts, move.now)
    tx.ring(f"guest:{guest.public_id}")
