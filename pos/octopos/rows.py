"""Reading what Octopos sends: the vendor declares field names, not the shape around them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from malva import FetchError, Line

_ORDER_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}")


def rows(document: Any) -> Iterator[Mapping[str, Any]]:
    """The objects of a document that may be bare, under `data`, or in a list."""
    if isinstance(document, list):
        for row in document:
            yield from rows(row)
    elif isinstance(document, dict):
        inner = next((document[k] for k in ("data", "orders", "refunds") if k in document), None)
        if isinstance(inner, (list, dict)):
            yield from rows(inner)
        else:
            yield document


def one(document: Any) -> Mapping[str, Any]:
    row = next(rows(document), None)
    if row is None:
        raise FetchError("Octopos answered with nothing", retryable=False)
    return row


def order_number(row: Mapping[str, Any]) -> str | None:
    number = row.get("order_number")
    if isinstance(number, bool) or not isinstance(number, (str, int)):
        return None
    return str(number) if _ORDER_NUMBER.fullmatch(str(number)) else None


def refund_id(row: Mapping[str, Any]) -> str:
    for name in ("id", "refund_id"):
        if row.get(name) is not None:
            return str(row[name])
    return f"{row.get('order_id')}:{row.get('created_at')}:{row.get('refund_amount')}"


def lines(order: Mapping[str, Any]) -> Iterator[Line]:
    for line in order.get("all_lines") or []:
        product = line.get("product_id")
        yield Line(
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
        raise FetchError(f"{field} is no amount", retryable=False)
    return number
