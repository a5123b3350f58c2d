"""An order as it is told, whatever tells it, and what is refused at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from core.contract import OrderPaid
from core.domain.earning import Item
from core.domain.money import nearest_minor, to_minor
from core.domain.phones import noted_phone
from core.services.cafes import CafeRow
from core.services.errors import Invalid, WrongCurrency

ID_LENGTH = 200
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


def checked(cafe: CafeRow, order: PaidOrder) -> PaidOrder:
    """The order as it can be kept; refuses what can't be one."""
    check_id(order.order_id, "order")
    if order.currency != cafe.currency:
        raise WrongCurrency(f"{cafe.slug} takes {cafe.currency}, not {order.currency}")
    if len(order.lines) > MOST_LINES:
        raise Invalid(f"an order has at most {MOST_LINES} lines")
    return replace(order, lines=tuple(map(_clean, order.lines))) if order.lines else order


def check_id(text: str, what: str) -> None:
    if not text or len(text) > ID_LENGTH or not text.isprintable():
        raise Invalid(f"the id of the {what} is 1 to {ID_LENGTH} printable characters")


def _clean(item: Item) -> Item:
    if not item.quantity.is_finite() or abs(item.quantity) > MOST_PIECES:
        raise Invalid("a quantity is a number, of a million at most")
    return replace(item, name=_short(item.name), sku=None if item.sku is None else _short(item.sku))


def _short(text: str) -> str:
    """As both databases keep it: without NULs and lone surrogates, of a length that is read."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:NAME_LENGTH]


def fingerprint(order: PaidOrder) -> bytes:
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
