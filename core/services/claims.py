"""Orders that nobody claimed find their guest."""

from __future__ import annotations

from datetime import datetime, timedelta

import orjson
import sqlalchemy as sa

from core.services import awards, ledger, order_rows, refunds, visits
from core.services.cafes import CafeRow
from core.services.errors import AlreadyClaimed, TooLate, UnknownOrder, UnknownVisit
from core.services.paid_orders import Counted
from core.storage.tables import orders
from core.storage.tx import Prepared, Tx
from core.storage.types import from_micros

CLAIM_WITHIN = timedelta(hours=48)
"""An unclaimed order finds its guest so long after it came."""

_o = orders.c


def claim_order(
    tx: Tx, *, cafe: CafeRow, source: str, order_id: str, visit: str, now: datetime
) -> Counted:
    """An unclaimed order finds its guest, the one of the visit that goes by that public id, and
    earns on what refunds have left of it.

    Claiming it again for the same guest is a duplicate. UnknownOrder, UnknownVisit,
    AlreadyClaimed, TooLate.
    """
    refunds.one_at_a_time(tx, cafe.id, source, order_id)
    row = tx.run(_TO_CLAIM, cafe=cafe.id, source=source, order=order_id)
    if row is None:
        raise UnknownOrder("this cafe has no such order")
    row_id, guest_id, total, refunded, received_at, paid_at, points, because = row
    found = visits.named(tx, cafe.id, visit)
    if found is None:
        raise UnknownVisit("this cafe has no such visit")
    guest = ledger.holder(tx, found.guest_id)
    if guest_id is not None:
        if ledger.holder(tx, guest_id).id != guest.id:
            raise AlreadyClaimed("this order is another guest's")
        return _claimed_before(tx, cafe, order_id, guest.id, points, because)
    if guest.erased:
        raise UnknownVisit("this cafe has no such visit")
    if now - from_micros(received_at) > CLAIM_WITHIN:
        raise TooLate("an order can be claimed within 48 hours")
    counted = (row_id, order_id, total, refunded, from_micros(paid_at or received_at))
    return hand_over(tx, cafe, counted, guest, found.id, now)


def source_of(tx: Tx, cafe_id: int, order_id: str, own: str) -> str:
    """Where the cafe's order of this id came from: `own`, or else the one other source that has
    it, so that what a till system reported can be claimed at the till."""
    found = tx.execute(
        sa.select(orders.c.source).where(orders.c.cafe_id == cafe_id, orders.c.order_id == order_id)
    ).scalars()
    sources = set(found)
    return sources.pop() if len(sources) == 1 else own


def hand_over(
    tx: Tx,
    cafe: CafeRow,
    counted: tuple[int, str, int, int, datetime],
    guest: ledger.Holder,
    visit_id: int | None,
    now: datetime,
) -> Counted:
    """An unclaimed order (its row, id, total, what was refunded of it and when it was paid) becomes
    the guest's."""
    row_id, order_id, total, refunded, paid_at = counted
    left = total - refunded
    earned = awards.weigh(
        tx,
        cafe,
        guest,
        total_minor=total,
        items=order_rows.lines(tx, row_id),
        paid_at=paid_at,
        visit_id=visit_id,
        left_minor=left,
    )
    tx.execute(
        sa.update(orders)
        .where(orders.c.id == row_id)
        .values(guest_id=guest.id, visit_id=visit_id, **order_rows.given_by(earned, left))
    )
    awards.give(
        tx,
        cafe,
        earned,
        order_row=row_id,
        order_id=order_id,
        now=now,
        taken_back=tx.scalar(sa.select(orders.c.taken_back).where(orders.c.id == row_id)),
    )
    return Counted(awards.answer(order_id, earned), duplicate=False)


_TO_CLAIM = Prepared(
    sa.select(
        _o.id,
        _o.guest_id,
        _o.total_minor,
        _o.refunded_minor,
        _o.received_at,
        _o.paid_at,
        _o.points,
        _o.because,
    ).where(order_rows.NAMED)
)


def _claimed_before(
    tx: Tx, cafe: CafeRow, order_id: str, guest_id: int, points: int, because: str
) -> Counted:
    reasons = [{"rule": r["rule"], "points": r["points"]} for r in orjson.loads(because)]
    balance = ledger.balance(tx, guest_id, cafe.programme_id)
    response = {"order_id": order_id, "points": points, "balance": balance, "because": reasons}
    return Counted(response, duplicate=True)
