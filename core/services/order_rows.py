"""The rows of an order: written once, with what its guest got for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from core.domain.earning import Item
from core.services import attribution, awards
from core.services.cafes import CafeRow
from core.services.paid_orders import PaidOrder, fingerprint
from core.storage.tables import order_lines, orders
from core.storage.tx import Prepared, PreparedInsert, Tx
from core.storage.types import to_micros


class Sent(NamedTuple):
    """An order as it came, and how."""

    cafe: CafeRow
    source: str
    order: PaidOrder
    till_id: int | None
    key: str | None
    arrived_at: datetime
    staff_id: int | None


_o = orders.c
_INSERT = PreparedInsert(
    postgresql.insert(orders)
    .values({column.name: sa.bindparam(column.name) for column in _o if column.name != "id"})
    .on_conflict_do_nothing()
)
_INSERT_LINE = Prepared(
    sa.insert(order_lines).values(
        {column.name: sa.bindparam(column.name) for column in order_lines.c}
    )
)


NOTHING = {
    "points": 0,
    "carry_minor": 0,
    "earned_minor": 0,
    "programme_id": None,
    "because": (),
}
"""What the row of an order remembers that nobody has got anything for."""


def insert(
    tx: Tx,
    sent: Sent,
    owner: attribution.Owner | None,
    earned: awards.Earned | None,
    response: dict[str, Any],
) -> int | None:
    """The new row's id; None where the order, or the key, was there before."""
    order = sent.order
    given = given_by(earned, order.total_minor) if earned else NOTHING
    row = tx.insert(
        _INSERT,
        cafe_id=sent.cafe.id,
        source=sent.source,
        order_id=order.order_id,
        till_id=sent.till_id,
        idempotency_key=sent.key,
        fingerprint=fingerprint(order),
        guest_id=owner.guest.id if owner else None,
        visit_id=owner.visit.id if owner and owner.visit else None,
        total_minor=order.total_minor,
        currency=order.currency,
        paid_at=None if order.paid_at is None else to_micros(order.paid_at),
        received_at=to_micros(sent.arrived_at),
        refunded_minor=0,
        response=orjson.dumps(response).decode(),
        staff_id=sent.staff_id,
        given_at=None,
        taken_back=0,
        **{**given, "because": orjson.dumps(given["because"]).decode()},
    )
    if row is not None and order.lines:
        tx.run_many(_INSERT_LINE, [_line(row, n, item) for n, item in enumerate(order.lines)])
    return row


def given_by(earned: awards.Earned, earned_minor: int) -> dict[str, Any]:
    """What the order's row remembers of the award, for a refund to take back."""
    return {
        "points": earned.award.points,
        "carry_minor": earned.carry_added,
        "earned_minor": earned_minor,
        "programme_id": earned.account.programme_id,
        "because": earned.award.because,
    }


def _line(order_row: int, position: int, item: Item) -> dict[str, Any]:
    return {
        "order_row": order_row,
        "position": position,
        "sku": item.sku,
        "name": item.name,
        "quantity": f"{item.quantity:f}",
        "price_minor": item.price_minor,
    }


NAMED = sa.and_(
    _o.cafe_id == sa.bindparam("cafe"),
    _o.source == sa.bindparam("source"),
    _o.order_id == sa.bindparam("order"),
)
"""The order that its cafe and its source know by that id."""


def lines(tx: Tx, order_row: int) -> Sequence[Item]:
    c = order_lines.c
    rows = tx.execute(
        sa.select(c.name, c.quantity, c.price_minor, c.sku)
        .where(c.order_row == order_row)
        .order_by(c.position)
    )
    return [Item(row.name, Decimal(row.quantity), row.price_minor, row.sku) for row in rows]
