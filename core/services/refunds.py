"""Refunds: in proportion to what the order was recorded to have given; parked until it comes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from core.contract import OrderRefunded, OrderTakenBack
from core.domain.money import to_minor
from core.domain.refunding import TakenBack, take_back
from core.services import bonuses, ledger, programmes, refund_rows, returns, rewards
from core.services.cafes import CafeRow
from core.services.errors import Conflict, Invalid, TooMuch
from core.services.notices import notify
from core.services.paid_orders import check_id
from core.services.refund_rows import Order, OrderRefund
from core.storage.tables import orders, refunds
from core.storage.tx import Prepared, Row, Tx


@dataclass(frozen=True, slots=True)
class Refunded:
    """`response`: {"order_id", "refund_id", "points", "balance"}, and "status": "parked" while its
    order isn't known (`parked`). `duplicate`: it was taken before."""

    response: dict[str, Any]
    duplicate: bool
    parked: bool


def order_refund(event: OrderRefunded, currency: str) -> OrderRefund:
    """What a till's adapter reports, in minor units. Invalid for money that can't be."""
    try:
        amount = None if event.amount is None else to_minor(event.amount, currency)
    except ValueError as error:
        raise Invalid(str(error)) from None
    return OrderRefund(order_id=event.order_id, refund_id=event.refund_id, amount_minor=amount)


def refund_order(
    tx: Tx,
    *,
    cafe: CafeRow,
    source: str,
    refund: OrderRefund,
    till_id: int | None,
    key: str | None,
    now: datetime,
    undone: bool = False,
) -> Refunded:
    """Takes back what the refunded part of an order has given.

    `source`, `till_id` and `key` as in `orders.count_order`. More than is left is refused to the
    till API (TooMuch), and cut down for a till system, which has paid it out already.
    `undone`: the order was entered by mistake. Conflict, Invalid.
    """
    _check(refund)
    one_at_a_time(tx, cafe.id, source, refund.order_id)
    before = _known(tx, cafe, source, refund, till_id, key)
    if before is not None:
        return before
    effect, order = _PARKED, refund_rows.order_at_last(tx, cafe.id, source, refund.order_id)
    if order is not None:
        effect = _weigh(tx, order, _amount(refund, order, strict=key is not None))
    response = _answer(refund, effect)
    row = refund_rows.insert(
        tx,
        refund,
        cafe_id=cafe.id,
        source=source,
        till_id=till_id,
        key=key,
        order_row=effect.order_row,
        amount_minor=refund.amount_minor if order is None else effect.amount_minor,
        points=effect.taken.points,
        response=response,
        now=now,
    )
    if row is None:
        raise Conflict("this refund, or its key, is being used for another order")
    if order is not None:
        came_back = _carry_out(tx, cafe, order, effect, row, now, undone)
        if came_back and effect.account:
            response = _answer_again(tx, row, response, effect.account)
    return Refunded(response, duplicate=False, parked=order is None)


def count_parked(tx: Tx, cafe: CafeRow, source: str, order_id: str, now: datetime) -> bool:
    """The order has come: the refunds that were here before it count now. False: none was."""
    waiting = refund_rows.parked(tx, cafe.id, source, order_id)
    for row_id, refund in waiting:
        order = refund_rows.order(tx, cafe.id, source, order_id)
        assert order is not None
        effect = _weigh(tx, order, _amount(refund, order, strict=False))
        tx.execute(
            sa.update(refunds)
            .where(refunds.c.id == row_id)
            .values(
                order_row=order.row,
                amount_minor=effect.amount_minor,
                points=effect.taken.points,
                response=_answer(refund, effect),
            )
        )
        _carry_out(tx, cafe, order, effect, row_id, now)
    return bool(waiting)


def one_at_a_time(tx: Tx, cafe_id: int, source: str, order_id: str) -> None:
    """What befalls an order that is there happens one after the other. SQLite has one writer
    anyway."""
    if not tx.is_sqlite:
        tx.run(_ONE_AT_A_TIME, name=f"order:{cafe_id}:{source}:{order_id}")


_ONE_AT_A_TIME = Prepared(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"))


def _check(refund: OrderRefund) -> None:
    check_id(refund.order_id, "order")
    check_id(refund.refund_id, "refund")
    if refund.amount_minor is not None and refund.amount_minor <= 0:
        raise Invalid("a refund is of more than nothing")


# -- what a refund does ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Effect:
    """`account` is locked; None: the order is nobody's, or not there yet."""

    order_row: int | None
    amount_minor: int | None
    taken: TakenBack
    account: ledger.Account | None = None
    guest: ledger.Holder | None = None

    @property
    def balance(self) -> int | None:
        return None if self.account is None else self.account.balance - self.taken.points


_PARKED = _Effect(None, None, TakenBack(0, 0))


def _amount(refund: OrderRefund, order: Order, *, strict: bool) -> int:
    if refund.amount_minor is None:
        return order.left_minor
    if strict and refund.amount_minor > order.left_minor:
        raise TooMuch("that is more than is left of the order")
    return min(refund.amount_minor, order.left_minor)


def _weigh(tx: Tx, order: Order, amount_minor: int) -> _Effect:
    if order.guest_id is None or order.programme_id is None:
        return _Effect(order.row, amount_minor, TakenBack(0, 0))
    guest = ledger.holder(tx, order.guest_id)
    account = ledger.lock(tx, guest.id, order.programme_id)
    return _Effect(order.row, amount_minor, take_back(order.given, amount_minor), account, guest)


def _carry_out(
    tx: Tx,
    cafe: CafeRow,
    order: Order,
    effect: _Effect,
    refund_row: int,
    now: datetime,
    undone: bool = False,
) -> bool:
    """True: rewards that were used on the order have come back."""
    assert effect.amount_minor is not None
    points = -effect.taken.points
    tx.execute(
        sa.update(orders)
        .where(orders.c.id == order.row)
        .values(refunded_minor=orders.c.refunded_minor + effect.amount_minor)
    )
    if effect.account is not None:
        ledger.post(
            tx,
            effect.account,
            cafe_id=cafe.id,
            kind="refund",
            reference=f"refund:{refund_row}",
            points=points,
            because=[_because(cafe, points, effect.amount_minor)],
            now=now,
            carry_minor=effect.account.carry_minor - effect.taken.carry_minor,
        )
    tell(tx, cafe, order.order_id, effect.guest, effect.account, points, now, undone=undone)
    if effect.amount_minor != order.left_minor:
        return False
    bonuses.give_back(tx, order.row)
    return returns.give_back(tx, order.row, now)


def _answer_again(
    tx: Tx, row: int, response: dict[str, Any], account: ledger.Account
) -> dict[str, Any]:
    """What came back with the order counts in the balance that is told."""
    balance = ledger.balance(tx, account.guest_id, account.programme_id)
    response = {**response, "balance": balance}
    tx.execute(sa.update(refunds).where(refunds.c.id == row).values(response=response))
    return response


def _because(cafe: CafeRow, points: int, amount_minor: int) -> dict[str, Any]:
    return {
        "rule": "refund",
        "points": points,
        "refunded_minor": amount_minor,
        "currency": cafe.currency,
    }


def tell(
    tx: Tx,
    cafe: CafeRow,
    order_id: str,
    guest: ledger.Holder | None,
    account: ledger.Account | None,
    points: int,
    now: datetime,
    *,
    undone: bool,
    **more: Any,
) -> None:
    """Tells the guest, the pages and the plugins of `points` that an order has cost the account, as
    it was locked. `more` of the notice's facts."""
    balance = None if account is None else account.balance + points
    if points and account is not None and guest is not None and balance is not None:
        facts: dict[str, Any] = {
            "cafe": cafe.name,
            "points": points,
            "unit": programmes.unit(tx, account.programme_id),
            "balance": balance,
            **more,
        }
        facts |= rewards.outlook(tx, account.programme_id, account.balance, balance, now)
        notify(tx, guest.id, "points_taken_back", facts, now)
        tx.ring(f"guest:{guest.public_id}")
    tx.ring(f"cafe:{cafe.slug}")
    tx.tell(
        OrderTakenBack(
            cafe=cafe.slug,
            order_id=order_id,
            guest_id=guest.public_id if guest else None,
            points=points,
            balance=balance,
            undone=undone,
        )
    )


# -- what is said of it ----------------------------------------------------------------------------


def _known(
    tx: Tx, cafe: CafeRow, source: str, refund: OrderRefund, till_id: int | None, key: str | None
) -> Refunded | None:
    """What was said of this refund when it came first. Conflict."""
    row = refund_rows.of_name(tx, cafe.id, source, refund.refund_id)
    if key is None:
        return None if row is None else _repeated(row)
    of_key = refund_rows.of_key(tx, till_id, key)
    for found in (row, of_key):
        if found is not None and bytes(found[0]) != refund_rows.fingerprint(refund):
            raise Conflict("this refund, or its key, came before with other data")
    found = row or of_key
    return None if found is None else _repeated(found)


def _repeated(row: Row) -> Refunded:
    _, response, order_row = row
    return Refunded(orjson.loads(response), duplicate=True, parked=order_row is None)


def _answer(refund: OrderRefund, effect: _Effect) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "order_id": refund.order_id,
        "refund_id": refund.refund_id,
        "points": -effect.taken.points,
        "balance": effect.balance,
    }
    if effect.order_row is None:
        answer["status"] = "parked"
    return answer
