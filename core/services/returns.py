"""What becomes of a confirmed redemption: the order that it was used on, and its coming back when
that order is refunded whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from core.services import coupons, ledger, redemption_rows, referrals, rewards
from core.services.errors import TooLate, UnknownRedemption
from core.services.ledger import Account
from core.services.redemption_rows import Row
from core.services.tills import Till
from core.storage.tables import orders
from core.storage.tables import redemptions as rows
from core.storage.tx import Prepared, Tx

UNDO_WITHIN = timedelta(minutes=2)

_r = rows.c

_OF_ORDER = Prepared(sa.select(_r.id, _r.status).where(_r.order_row == sa.bindparam("order")))
_OF_VISIT = Prepared(
    sa.select(_r.id)
    .join(orders, orders.c.visit_id == _r.visit_id)
    .where(
        orders.c.id == sa.bindparam("order"),
        _r.order_row.is_(None),
        _r.status == sa.literal_column("'confirmed'"),
    )
    .order_by(_r.id)
)


def use(tx: Tx, cafe_id: int, public_ids: Sequence[str], order_row: int) -> None:
    """An order names the redemptions that were used on it: confirmed at its cafe, and used on no
    other. UnknownRedemption."""
    used = tx.execute(
        sa.update(rows)
        .where(
            _r.public_id.in_(public_ids),
            _r.cafe_id == cafe_id,
            _r.status == "confirmed",
            _r.order_row.is_(None),
        )
        .values(order_row=order_row)
    )
    if used.rowcount != len(set(public_ids)):
        raise UnknownRedemption(
            "This cafe has confirmed no such redemption, or an order has used it."
        )


def give_back(tx: Tx, order_row: int, now: datetime) -> bool:
    """An order was refunded whole: the rewards that it names, or else those that were confirmed in
    its visit, come back as points, with the dates that these had; what it gave for an invitation is
    taken back. False: there was nothing of it."""
    named = tx.run_all(_OF_ORDER, order=order_row)
    found = named or tx.run_all(_OF_VISIT, order=order_row)
    returned = referrals.take_back(tx, order_row, now)
    for one in found:
        row, account = redemption_rows.locked(tx, one[0])
        if row.status == "confirmed":
            _return(tx, row, account, now, order=order_row)
            returned = True
    return returned


def undo(tx: Tx, *, till: Till, public_id: str, now: datetime, staff_id: int | None = None) -> int:
    """The cashier confirmed by mistake: within two minutes it comes back. The new balance; once
    more changes nothing. UnknownRedemption, TooLate."""
    row_id = redemption_rows.row_of(tx, public_id, _r.cafe_id == till.cafe.id)
    row, account = redemption_rows.locked(tx, row_id)
    confirmed_at = tx.scalar(sa.select(_r.confirmed_at).where(_r.id == row.id))
    if confirmed_at is None:
        raise redemption_rows.unknown()
    if row.status == "returned":
        return account.balance
    if now - confirmed_at > UNDO_WITHIN:
        raise TooLate("This can be undone within two minutes.")
    return _return(tx, row, account, now, staff_id=staff_id, by="till")


def _return(tx: Tx, row: Row, account: Account, now: datetime, **why: Any) -> int:
    """The new balance."""
    balance = ledger.post(
        tx,
        account,
        cafe_id=row.cafe_id,
        kind="return",
        reference=f"return:{row.id}",
        dates_of=f"redeem:{row.id}",
        points=row.points,
        because=[
            {"rule": "returned", "points": item.cost, "names": item.names}
            for item in redemption_rows.items(tx, row.id)
        ],
        now=now,
    )
    redemption_rows.move(tx, row, "returned")
    coupons.void(tx, row, now)
    rewards.move_stock(tx, row.id, +1)
    redemption_rows.log(tx, "redeem_returned", row, now, **why)
    redemption_rows.tell(tx, row, "redemption_returned", now, points=row.points)
    redemption_rows.ring(tx, row)
    return balance
