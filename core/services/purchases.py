"""Purchases that the staff enter by hand, where no till system reports them: products by how many
of each, or an amount, or both. They are orders like any other, whose source is `till`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa

from core.domain.earning import Item
from core.domain.money import MAX_MAJOR, exponent
from core.services import (
    alarms,
    awards,
    ledger,
    limits,
    orders,
    programmes,
    refunds,
    till_sessions,
    visits,
)
from core.services.errors import Rejected, TooLate, UnknownOrder, UnknownVisit
from core.services.paid_orders import Counted, PaidOrder
from core.services.refund_rows import OrderRefund
from core.services.returns import UNDO_WITHIN
from core.services.till_sessions import TillSession
from core.services.visits import VisitRow
from core.storage.tables import orders as rows
from core.storage.tables import products
from core.storage.tx import Tx

SOURCE = "till"
MOST_OF_ONE = 99

_p, _o = products.c, rows.c


class Sold(NamedTuple):
    """A product that can be tapped."""

    id: int
    names: Mapping[str, str]
    price_minor: int
    sku: str | None


@dataclass(frozen=True, slots=True)
class Basket:
    """How many of which product, by its row, and money for what is not on the list."""

    quantities: Mapping[int, int]
    amount_minor: int = 0


@dataclass(frozen=True, slots=True)
class Preview:
    """What a purchase would be: its total, the points it would give, and the balance then."""

    total_minor: int
    points: int
    balance: int


def menu(tx: Tx, by: TillSession) -> Sequence[Sold]:
    """What can be tapped: the active products that have a price."""
    found = tx.execute(
        sa.select(*(_p[field] for field in Sold._fields))
        .where(_p.programme_id == by.till.cafe.programme_id, _p.active, _p.price_minor > 0)
        .order_by(_p.id)
    )
    return [Sold._make(row) for row in found]


def preview(tx: Tx, by: TillSession, visit: str, basket: Basket, now: datetime) -> Preview:
    """Weighed as it will be counted, which takes the account's lock: it is a write, though nothing
    comes of it. UnknownVisit, Rejected, LimitReached."""
    order = _order(tx, by, visit, basket, order_id="")
    opened = open_visit(tx, by, visit, now)
    earned = awards.weigh(
        tx,
        by.till.cafe,
        ledger.holder(tx, opened.guest_id),
        total_minor=order.total_minor,
        items=order.lines,
        paid_at=now,
        visit_id=opened.id,
    )
    limits.manual_points(tx, by, earned.award.points, now)
    return Preview(order.total_minor, earned.award.points, earned.balance)


def add(
    tx: Tx, by: TillSession, visit: str, basket: Basket, seen_minor: int, key: str, now: datetime
) -> Counted:
    """Counts the purchase for the visit's guest; `seen_minor` is the total that was on the screen.
    The same `key` again counts nothing more, however late.

    UnknownVisit, Conflict where the key was another purchase's, Rejected, LimitReached.
    """
    order = _order(tx, by, visit, basket, order_id=key)
    if _found(tx, by, key) is None:
        open_visit(tx, by, visit, now)
        if order.total_minor != seen_minor:
            raise Rejected("price_changed", "a price has changed meanwhile")
    counted = orders.count_order(
        tx,
        cafe=by.till.cafe,
        source=SOURCE,
        order=order,
        till_id=by.till.id,
        key=key,
        arrived_at=now,
        now=now,
        staff_id=by.member.id,
    )
    if not counted.duplicate:
        points, found = counted.response["points"], _found(tx, by, key)
        assert found is not None
        limits.manual_points(tx, by, points, now)
        _log(tx, by, "purchase_added", key, found, points, now)
        alarms.look(tx, by.member.id, found.guest_id, now)
    return counted


def undo(tx: Tx, by: TillSession, order_id: str, now: datetime) -> int | None:
    """Within two minutes: refunded whole, by the same rules as any order. The new balance; once
    more changes nothing. UnknownOrder, TooLate."""
    found = _found(tx, by, order_id)
    if found is None:
        raise UnknownOrder("There is no such purchase here.")
    undone = found.refunded_minor >= found.total_minor
    if not undone and now > undo_until(found.received_at):
        raise TooLate("A purchase can be undone within two minutes.")
    done = refunds.refund_order(
        tx,
        cafe=by.till.cafe,
        source=SOURCE,
        refund=OrderRefund(order_id=order_id, refund_id=order_id),
        till_id=by.till.id,
        key=order_id,
        now=now,
        undone=True,
    )
    if not done.duplicate:
        _log(tx, by, "purchase_undone", order_id, found, done.response["points"], now)
    balance: int | None = done.response["balance"]
    return balance


def undo_until(done_at: datetime) -> datetime:
    return done_at + UNDO_WITHIN


def open_visit(tx: Tx, by: TillSession, visit: str, now: datetime) -> VisitRow:
    """The visit, while orders can be entered for it. UnknownVisit."""
    found = visits.named(tx, by.till.cafe.id, visit)
    if found is None or not found.holds(now) or ledger.holder(tx, found.guest_id).erased:
        raise UnknownVisit("The visit is over: identify the guest again.")
    return found


# -- as an order -----------------------------------------------------------------------------------


def _order(tx: Tx, by: TillSession, visit: str, basket: Basket, order_id: str) -> PaidOrder:
    lines = _lines(tx, by, basket.quantities)
    currency = by.till.cafe.currency
    total = basket.amount_minor + sum(int(line.quantity) * line.price_minor for line in lines)
    if total <= 0:
        raise Rejected("purchase_empty", "a purchase is of something")
    if total > MAX_MAJOR * 10 ** exponent(currency):
        raise Rejected("amount", "that is too much to be meant")
    return PaidOrder(
        order_id=order_id, total_minor=total, currency=currency, lines=lines, visit=visit
    )


def _lines(tx: Tx, by: TillSession, quantities: Mapping[int, int]) -> tuple[Item, ...]:
    sold = {product.id: product for product in menu(tx, by)}
    if not quantities.keys() <= sold.keys():
        raise Rejected("product_gone", "a product was switched off meanwhile")
    if any(not 1 <= quantity <= MOST_OF_ONE for quantity in quantities.values()):
        raise Rejected("quantity", f"a quantity is 1 to {MOST_OF_ONE}")
    return tuple(
        Item(
            name=next(iter(sold[id_].names.values()), ""),
            quantity=Decimal(quantity),
            price_minor=sold[id_].price_minor,
            sku=programmes.sku_of(id_, sold[id_].sku),
        )
        for id_, quantity in sorted(quantities.items())
    )


def _found(tx: Tx, by: TillSession, order_id: str) -> sa.Row[Any] | None:
    """A purchase of this cafe."""
    return tx.execute(
        sa.select(
            _o.total_minor, _o.refunded_minor, _o.received_at, _o.currency, _o.guest_id
        ).where(_o.cafe_id == by.till.cafe.id, _o.source == SOURCE, _o.order_id == order_id)
    ).one_or_none()


def _log(
    tx: Tx,
    by: TillSession,
    kind: str,
    order_id: str,
    found: sa.Row[Any],
    points: int,
    now: datetime,
) -> None:
    till_sessions.log(
        tx,
        by,
        kind,
        now,
        guest_id=found.guest_id,
        order=order_id,
        total_minor=found.total_minor,
        currency=found.currency,
        points=points,
    )
