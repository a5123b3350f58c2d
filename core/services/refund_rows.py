"""The rows of a refund, and what of its order it needs to know."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from core.domain.refunding import Given
from core.services import order_rows
from core.storage.tables import cafes, orders, refunds
from core.storage.tx import Prepared, PreparedInsert, Row, Tx
from core.storage.types import to_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefund:
    """`amount_minor` of the order was given back; None: all that is left of it."""

    order_id: str
    refund_id: str
    amount_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An order, locked; `given`: what it was recorded to have given."""

    row: int
    order_id: str
    guest_id: int | None
    programme_id: int | None
    total_minor: int
    refunded_minor: int
    given: Given

    @property
    def left_minor(self) -> int:
        return max(0, self.total_minor - self.refunded_minor)


_o, _r = orders.c, refunds.c

_ORDER = Prepared(
    sa.select(
        _o.id,
        _o.guest_id,
        _o.programme_id,
        _o.total_minor,
        _o.refunded_minor,
        _o.points,
        _o.carry_minor,
        _o.earned_minor,
    )
    .where(order_rows.NAMED)
    .with_for_update()
)
_CAFE_ALONE = Prepared(
    sa.select(cafes.c.id).where(cafes.c.id == sa.bindparam("cafe")).with_for_update()
)
_ANY_PARKED = Prepared(
    sa.select(sa.literal_column("1"))
    .where(_r.cafe_id == sa.bindparam("cafe"), _r.order_row.is_(None))
    .limit(sa.literal_column("1"))
    .offset(sa.literal_column("0"))  # SQLite's dialect would bind one of its own
)
_PARKED = Prepared(
    sa.select(_r.id, _r.refund_id, _r.amount_minor)
    .where(
        _r.cafe_id == sa.bindparam("cafe"),
        _r.source == sa.bindparam("source"),
        _r.order_id == sa.bindparam("order"),
        _r.order_row.is_(None),
    )
    .order_by(_r.id)
)
_BEFORE = sa.select(_r.fingerprint, _r.response, _r.order_row)
_SAME_REFUND = Prepared(
    _BEFORE.where(
        _r.cafe_id == sa.bindparam("cafe"),
        _r.source == sa.bindparam("source"),
        _r.refund_id == sa.bindparam("refund"),
    )
)
_SAME_KEY = Prepared(
    _BEFORE.where(_r.till_id == sa.bindparam("till"), _r.idempotency_key == sa.bindparam("key"))
)
_INSERT = PreparedInsert(
    postgresql.insert(refunds)
    .values({column.name: sa.bindparam(column.name) for column in _r if column.name != "id"})
    .on_conflict_do_nothing()
)


def order(tx: Tx, cafe_id: int, source: str, order_id: str) -> Order | None:
    row = tx.run(_ORDER, cafe=cafe_id, source=source, order=order_id)
    if row is None:
        return None
    row_id, guest_id, programme_id, total, refunded, points, carry, earned = row
    given = Given(points, carry, earned, returned_minor=refunded - (total - earned))
    return Order(row_id, order_id, guest_id, programme_id, total, refunded, given)


def order_at_last(tx: Tx, cafe_id: int, source: str, order_id: str) -> Order | None:
    """None only where it isn't being counted in this very moment either, when it would not see the
    refund that is parked now. Each order that is written shares its cafe's row with us: to have
    that alone is to have waited for them all, and the next one waits for our commit."""
    found = order(tx, cafe_id, source, order_id)
    if found is None and not tx.is_sqlite:
        tx.run(_CAFE_ALONE, cafe=cafe_id)
        found = order(tx, cafe_id, source, order_id)
    return found


def parked(tx: Tx, cafe_id: int, source: str, order_id: str) -> Sequence[tuple[int, OrderRefund]]:
    """The refunds that wait for this order, which is written by now, by their rows, the oldest
    first. Most cafes have none: that is looked up once for all orders of a commit, since whoever
    parks one waits for the first of them (`order_at_last`)."""
    if not tx.once(_any_parked, cafe_id):
        return []
    rows = tx.run_all(_PARKED, cafe=cafe_id, source=source, order=order_id)
    return [
        (row, OrderRefund(order_id=order_id, refund_id=refund_id, amount_minor=amount_minor))
        for row, refund_id, amount_minor in rows
    ]


def _any_parked(tx: Tx, cafe_id: int) -> bool:
    return tx.run(_ANY_PARKED, cafe=cafe_id) is not None


def of_name(tx: Tx, cafe_id: int, source: str, refund_id: str) -> Row | None:
    """`fingerprint`, `response` and `order_row` of the refund that goes by this id."""
    return tx.run(_SAME_REFUND, cafe=cafe_id, source=source, refund=refund_id)


def of_key(tx: Tx, till_id: int | None, key: str) -> Row | None:
    """The same of the one that used this key."""
    return tx.run(_SAME_KEY, till=till_id, key=key)


def insert(
    tx: Tx,
    refund: OrderRefund,
    *,
    cafe_id: int,
    source: str,
    till_id: int | None,
    key: str | None,
    order_row: int | None,
    amount_minor: int | None,
    points: int,
    response: dict[str, Any],
    now: datetime,
) -> int | None:
    """The new row's id; None where another order's refund took the id or the key just now."""
    if order_row is None:
        tx.forget(_any_parked, cafe_id)
    return tx.insert(
        _INSERT,
        cafe_id=cafe_id,
        source=source,
        order_id=refund.order_id,
        refund_id=refund.refund_id,
        till_id=till_id,
        idempotency_key=key,
        fingerprint=fingerprint(refund),
        order_row=order_row,
        amount_minor=amount_minor,
        points=points,
        received_at=to_micros(now),
        response=orjson.dumps(response).decode(),
    )


def fingerprint(refund: OrderRefund) -> bytes:
    """Tells the same refund from another under its name."""
    said = (refund.order_id, refund.refund_id, refund.amount_minor)
    return hashlib.blake2b(orjson.dumps(said), digest_size=16).digest()
