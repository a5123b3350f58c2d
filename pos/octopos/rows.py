"""Reading what Octopos sends: the vendor declares field names, not the shape around them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import malva
from malva import FetchError, Line

log = logging.getLogger(__name__)

Row = Mapping[str, Any]

_ORDER_NUMBER = re.compile(r"[\w#][\w .:/#-]{0,63}")
_AROUND = ("data", "orders", "refunds")
_DEEPEST = 4


def rows(document: Any, depth: int = _DEEPEST) -> Iterator[Row]:
    """The objects of a document that may be bare, under `data`, or in a list."""
    if isinstance(document, list) and depth:
        for row in document:
            yield from rows(row, depth - 1)
    elif isinstance(document, dict):
        inner = next((document[k] for k in _AROUND if isinstance(document.get(k), list | dict)), ())
        if inner == ():
            yield document
        elif depth:
            yield from rows(inner, depth - 1)


def one(document: Any) -> Row:
    row = next(rows(document), None)
    if row is None:
        raise FetchError("Octopos answered with nothing")
    return row


def order_number(row: Row) -> str | None:
    number = row.get("order_number")
    if isinstance(number, bool) or not isinstance(number, (str, int)):
        return None
    return str(number) if _ORDER_NUMBER.fullmatch(str(number)) else None


def refund_id(row: Row) -> str:
    for name in ("id", "refund_id"):
        if row.get(name) is not None:
            return str(row[name])
    return f"{row.get('order_id')}:{row.get('created_at')}:{row.get('refund_amount')}"


def refund_amount(row: Row) -> Decimal:
    """What a guest was given back of an order: the tax too, which its total holds, but no tip."""
    amounts = [row.get("refund_amount"), row.get("refund_tax_amount") or "0"]
    return sum((abs(money(amount, "refund_amount")) for amount in amounts), Decimal(0))


def is_paid(order: Row) -> bool:
    return str(order.get("paid")).lower() in ("true", "1", "yes", "paid")


def lines(order: Row) -> tuple[Line, ...]:
    """The lines that can be read; the total counts whatever they say."""
    found, total = [], Decimal(0)
    try:
        for line in order.get("all_lines") or []:
            found.append(_line(line))
            discount = money(line.get("total_discount") or "0", "total_discount")
            tax = money(line.get("line_item_total_tax_collected") or "0", "tax")
            total += found[-1].quantity * found[-1].price - discount + tax
        if found and total != money(order.get("total_paid"), "total_paid"):
            log.warning("octopos: order %s: its lines add up to %s", order_number(order), total)
    except (FetchError, AttributeError, TypeError) as error:
        log.warning("octopos: order %s: a line left out: %s", order_number(order), error)
    return tuple(found)


def _line(line: Row) -> Line:
    product = line.get("product_id")
    return Line(
        name=str(line.get("product_name") or ""),
        quantity=money(line.get("quantity", "1"), "quantity"),
        price=money(line.get("sale_price", "0"), "sale_price"),
        sku=None if product is None else str(product),
    )


def money(value: Any, field: str) -> Decimal:
    """Decimal text, as the vendor documents; a JSON number arrives as Decimal too."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise FetchError(f"{field} is no amount")
    return number


def phone(card: Row, country: str) -> str | None:
    """The number of a reward card as E.164; one without a country is of `country`."""
    text = str(card.get("phone") or "").strip()
    abroad = text.startswith(("+", "00"))
    return malva.typed_phone(text, country) or (malva.told_phone(text) if abroad else None)
