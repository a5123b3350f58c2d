"""Orders and refunds as webhooks bring them: https://shopify.dev/docs/api/webhooks

Money is decimal text in the shop's currency.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import malva
from malva import Line, OrderPaid, OrderRefunded

Row = Mapping[str, Any]


def order(row: Row, location: int) -> OrderPaid | None:
    """`orders/paid`; None for another location's. A tip earns nothing: `total_price` holds it."""
    if row.get("location_id") != location:
        return None
    phone = row.get("phone") or (row.get("customer") or {}).get("phone")
    return OrderPaid(
        order_id=_id(row["id"]),
        total=money(row["total_price"]) - money(row.get("total_tip_received") or "0"),
        currency=str(row["currency"]),
        paid_at=moment(row["processed_at"]),
        lines=tuple(map(_line, row.get("line_items") or [])),
        phone=malva.told_phone(str(phone)) if phone else None,
        station=_id(row["device_id"]) if row.get("device_id") else None,
    )


def refund(row: Row, location: int) -> OrderRefunded | None:
    """`refunds/create`; None where no money went back, or at another location."""
    given_back = [
        one for one in row["transactions"] if one["kind"] == "refund" and one["status"] == "success"
    ]
    amount = sum((money(one["amount"]) for one in given_back), Decimal(0))
    places = {one.get("location_id") for one in given_back} - {None}
    if not amount or (places and location not in places):
        return None
    return OrderRefunded(order_id=_id(row["order_id"]), refund_id=_id(row["id"]), amount=amount)


def _line(row: Row) -> Line:
    return Line(
        name=str(row["name"]),
        quantity=Decimal(int(row["quantity"])),
        price=money(row["price"]),
        sku=row.get("sku") or None,
    )


def money(value: Any) -> Decimal:
    """Decimal text; ValueError for anything else."""
    if not isinstance(value, str) or not (amount := Decimal(value)).is_finite():
        raise ValueError("no amount")
    return amount


def moment(value: Any) -> datetime:
    """A time with its zone; ValueError without."""
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError("a time without its zone")
    return at


def _id(value: Any) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("no id")
    return str(value)
