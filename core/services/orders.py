"""Orders: each counts once, whatever is sent twice, late or out of order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from core.contract import OrderPaid
from core.domain.earning import Item
from core.domain.money import nearest_minor, to_minor
from core.domain.phones import noted_phone
from core.services import attribution, awards, eventlog, ledger, refunds, returns, visits
from core.services.cafes import CafeRow
from core.services.errors import (
    AlreadyClaimed,
    Conflict,
    Invalid,
    TooLate,
    UnknownOrder,
    UnknownVisit,
    WrongCurrency,
)
from core.storage.tables import order_lines, orders
from core.storage.tx import Prepared, PreparedInsert, Tx
from core.storage.types import from_micros, to_micros

CLAIM_WITHIN = timedelta(hours=48)
"""An unclaimed order finds its guest so long after it came."""

MOST_LINES = 500
MOST_PIECES = Decimal(10**6)
NAME_LENGTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidOrder:
    """An order, as every source of orders gives it.

    total_minor  what counts, in minor units of `currency`
    paid_at      None: the till doesn't tell
    live         False: found late, so that only `paid_at` can say which visit it belongs to
    visit        the public id of the visit that the order names
    phone        of the till's own reward card, E.164
    station      the POS's own id of the till
    redemptions  public ids of those that were used on it
    """

    order_id: str
    total_minor: int
    currency: str
    lines: tuple[Item, ...] = ()
    paid_at: datetime | None = None
    live: bool = True
    visit: str | None = None
    phone: str | None = None
    station: str | None = None
    redemptions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Counted:
    """`response` as the till API gives it: {"order_id", "points", "balance", "because":
    [{"rule", "points"}]}; `duplicate`: it was counted before, and this is what was said then."""

    response: dict[str, Any]
    duplicate: bool


def paid_order(event: OrderPaid, cafe_currency: str) -> PaidOrder:
    """What a till's adapter reports, in minor units. Invalid for money that can't be."""
    currency = event.currency or cafe_currency
    try:
        return PaidOrder(
            order_id=event.order_id,
            total_minor=to_minor(event.total, currency),
            currency=currency,
            lines=tuple(
                Item(line.name, line.quantity, nearest_minor(line.price, currency), line.sku)
                for line in event.lines
            ),
            paid_at=event.paid_at,
            live=event.live,
            phone=None if event.phone is None else noted_phone(event.phone),
            station=event.station,
        )
    except ValueError as error:
        raise Invalid(str(error)) from None


def count_order(
    tx: Tx,
    *,
    cafe: CafeRow,
    source: str,
    order: PaidOrder,
    till_id: int | None,
    key: str | None,
    arrived_at: datetime,
    now: datetime,
    staff_id: int | None = None,
) -> Counted:
    """Counts an order that arrived at `arrived_at`, for its guest if it has one.

    `source` is `api` or the POS's name; `till_id` and the idempotency `key` are the till API's. A
    till system's second report of an order is a duplicate whatever it says; the till API's must say
    the same (Conflict). UnknownVisit, UnknownRedemption, WrongCurrency, Invalid.
    """
    order = _checked(cafe, order)
    if till_id is None and order.station is not None:
        till_id = attribution.till_of(tx, cafe.id, order.station)
    sent = _Sent(cafe, source, order, till_id, key, arrived_at, staff_id)
    refunds.one_at_a_time(tx, cafe.id, source, order.order_id)
    owner, earned = _owner(tx, sent), None
    if owner is not None:
        earned = awards.weigh(
            tx,
            cafe,
            owner.guest,
            total_minor=order.total_minor,
            items=order.lines,
            paid_at=order.paid_at or arrived_at,
            visit_id=owner.visit.id if owner.visit else None,
        )
    response = awards.answer(order.order_id, earned)
    row = _insert(tx, sent, owner, earned, response)
    if row is None:
        return _counted_before(tx, sent, owner, now)
    if order.redemptions:
        returns.use(tx, cafe.id, order.redemptions, row)
    if owner is not None and owner.visit is not None and owner.takes:
        visits.take(tx, owner.visit)
    if earned is not None:
        awards.give(tx, cafe, earned, order_row=row, order_id=order.order_id, now=now)
    else:
        awards.tell(tx, cafe, order.order_id, None)
    if refunds.count_parked(tx, cafe, source, order.order_id, now) and earned is not None:
        response = _answer_again(tx, row, response, earned.account)
    return Counted(response, duplicate=False)


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
    return _hand_over(tx, cafe, counted, guest, found.id, now)


def source_of(tx: Tx, cafe_id: int, order_id: str, own: str) -> str:
    """Where the cafe's order of this id came from: `own`, or else the one other source that has
    it, so that what a till system reported can be claimed at the till."""
    found = tx.execute(
        sa.select(orders.c.source).where(orders.c.cafe_id == cafe_id, orders.c.order_id == order_id)
    ).scalars()
    sources = set(found)
    return sources.pop() if len(sources) == 1 else own


def _hand_over(
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
        items=_lines(tx, row_id),
        paid_at=paid_at,
        visit_id=visit_id,
        left_minor=left,
    )
    tx.execute(
        sa.update(orders)
        .where(orders.c.id == row_id)
        .values(guest_id=guest.id, visit_id=visit_id, **_given(earned, left))
    )
    awards.give(tx, cafe, earned, order_row=row_id, order_id=order_id, now=now)
    return Counted(awards.answer(order_id, earned), duplicate=False)


# -- what comes in ---------------------------------------------------------------------------------


def _checked(cafe: CafeRow, order: PaidOrder) -> PaidOrder:
    """The order as it can be kept; refuses what can't be one."""
    refunds.check_id(order.order_id, "order")
    if order.currency != cafe.currency:
        raise WrongCurrency(f"{cafe.slug} takes {cafe.currency}, not {order.currency}")
    if len(order.lines) > MOST_LINES:
        raise Invalid(f"an order has at most {MOST_LINES} lines")
    return replace(order, lines=tuple(map(_clean, order.lines))) if order.lines else order


def _clean(item: Item) -> Item:
    if not item.quantity.is_finite() or abs(item.quantity) > MOST_PIECES:
        raise Invalid("a quantity is a number, of a million at most")
    return replace(item, name=_short(item.name), sku=None if item.sku is None else _short(item.sku))


def _short(text: str) -> str:
    """As both databases keep it: without NULs and lone surrogates, of a length that is read."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:NAME_LENGTH]


class _Sent(NamedTuple):
    """An order as it came, and how."""

    cafe: CafeRow
    source: str
    order: PaidOrder
    till_id: int | None
    key: str | None
    arrived_at: datetime
    staff_id: int | None


def _owner(tx: Tx, sent: _Sent) -> attribution.Owner | None:
    order, cafe_id, arrived_at = sent.order, sent.cafe.id, sent.arrived_at
    if order.phone is not None:
        owner = attribution.by_reward_card(tx, cafe_id, order.phone, arrived_at)
        if owner is not None:
            return owner
    if order.visit is not None:
        return attribution.by_name(tx, cafe_id, order.visit, order.paid_at or arrived_at)
    if sent.till_id is None:
        return None
    return attribution.by_interval(tx, sent.till_id, order.paid_at, arrived_at, live=order.live)


# -- the order's row -------------------------------------------------------------------------------

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


_NOTHING = {
    "points": 0,
    "carry_minor": 0,
    "earned_minor": 0,
    "programme_id": None,
    "because": (),
}


def _insert(
    tx: Tx,
    sent: _Sent,
    owner: attribution.Owner | None,
    earned: awards.Earned | None,
    response: dict[str, Any],
) -> int | None:
    """The new row's id; None where the order, or the key, was there before."""
    order = sent.order
    given = _given(earned, order.total_minor) if earned else _NOTHING
    row = tx.insert(
        _INSERT,
        cafe_id=sent.cafe.id,
        source=sent.source,
        order_id=order.order_id,
        till_id=sent.till_id,
        idempotency_key=sent.key,
        fingerprint=_fingerprint(order),
        guest_id=owner.guest.id if owner else None,
        visit_id=owner.visit.id if owner and owner.visit else None,
        total_minor=order.total_minor,
        currency=order.currency,
        paid_at=None if order.paid_at is None else to_micros(order.paid_at),
        received_at=to_micros(sent.arrived_at),
        refunded_minor=0,
        response=orjson.dumps(response).decode(),
        staff_id=sent.staff_id,
        **{**given, "because": orjson.dumps(given["because"]).decode()},
    )
    if row is not None and order.lines:
        tx.run_many(_INSERT_LINE, [_line(row, n, item) for n, item in enumerate(order.lines)])
    return row


def _given(earned: awards.Earned, earned_minor: int) -> dict[str, Any]:
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


def _lines(tx: Tx, order_row: int) -> Sequence[Item]:
    c = order_lines.c
    rows = tx.execute(
        sa.select(c.name, c.quantity, c.price_minor, c.sku)
        .where(c.order_row == order_row)
        .order_by(c.position)
    )
    return [Item(row.name, Decimal(row.quantity), row.price_minor, row.sku) for row in rows]


def _fingerprint(order: PaidOrder) -> bytes:
    """Tells the same order from another under its name."""
    said = (
        order.order_id,
        order.total_minor,
        order.currency,
        order.paid_at,
        order.visit,
        order.phone,
        order.station,
        [(i.name, str(i.quantity.normalize()), i.price_minor, i.sku) for i in order.lines],
        *sorted(order.redemptions),
    )
    return hashlib.blake2b(orjson.dumps(said), digest_size=16).digest()


# -- the second time -------------------------------------------------------------------------------

_SAME_ORDER = Prepared(
    sa.select(
        _o.id,
        _o.fingerprint,
        _o.response,
        _o.total_minor,
        _o.guest_id,
        _o.refunded_minor,
        _o.received_at,
    ).where(
        _o.cafe_id == sa.bindparam("cafe"),
        _o.source == sa.bindparam("source"),
        _o.order_id == sa.bindparam("order"),
    )
)
_SAME_KEY = Prepared(
    sa.select(_o.id).where(
        _o.till_id == sa.bindparam("till"), _o.idempotency_key == sa.bindparam("key")
    )
)
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
    ).where(
        _o.cafe_id == sa.bindparam("cafe"),
        _o.source == sa.bindparam("source"),
        _o.order_id == sa.bindparam("order"),
    )
)


def _counted_before(tx: Tx, sent: _Sent, owner: attribution.Owner | None, now: datetime) -> Counted:
    order, cafe = sent.order, sent.cafe
    row = tx.run(_SAME_ORDER, cafe=cafe.id, source=sent.source, order=order.order_id)
    if row is None:
        raise Conflict("this idempotency key was another order's")
    row_id, fingerprint, response, total_minor, guest_id, refunded, received_at = row
    if sent.key is not None:
        of_key = tx.run(_SAME_KEY, till=sent.till_id, key=sent.key)
        if of_key is not None and of_key[0] != row_id:
            raise Conflict("this idempotency key was another order's")
        if bytes(fingerprint) != _fingerprint(order):
            raise Conflict("this order was counted with other data")
    elif total_minor != order.total_minor:
        eventlog.log(
            tx,
            "order_changed",
            now,
            cafe_id=cafe.id,
            order=order.order_id,
            counted_minor=total_minor,
            now_minor=order.total_minor,
        )
    if sent.key is None and guest_id is None and owner and _knows_better(sent, owner, received_at):
        if owner.visit is not None and owner.takes:
            visits.take(tx, owner.visit)
        visit_id = owner.visit.id if owner.visit else None
        paid_at = order.paid_at or from_micros(received_at)
        counted = (row_id, order.order_id, total_minor, refunded, paid_at)
        return _hand_over(tx, cafe, counted, owner.guest, visit_id, now)
    return Counted(orjson.loads(response), duplicate=True)


def _knows_better(sent: _Sent, owner: attribution.Owner, received_at: int) -> bool:
    """A poll may find an order whose webhook is here already and still being asked about: that
    one's arrival says which visit it was. A webhook that comes later may tell of anything that has
    happened to the order since, so only a reward card counts then."""
    return owner.visit is None or to_micros(sent.arrived_at) <= received_at


def _claimed_before(
    tx: Tx, cafe: CafeRow, order_id: str, guest_id: int, points: int, because: str
) -> Counted:
    reasons = [{"rule": r["rule"], "points": r["points"]} for r in orjson.loads(because)]
    balance = ledger.balance(tx, guest_id, cafe.programme_id)
    response = {"order_id": order_id, "points": points, "balance": balance, "because": reasons}
    return Counted(response, duplicate=True)


def _answer_again(
    tx: Tx, order_row: int, response: dict[str, Any], account: ledger.Account
) -> dict[str, Any]:
    """With the balance that refunds, here before their order, have left."""
    balance = ledger.balance(tx, account.guest_id, account.programme_id)
    response = {**response, "balance": balance}
    tx.execute(sa.update(orders).where(_o.id == order_row).values(response=response))
    return response
