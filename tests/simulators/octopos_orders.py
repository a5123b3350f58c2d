"""What an Octopos till writes down: orders, refunds, coupons, as its API shows them.

Money is a decimal string in major units without a currency; a time has no zone. For every order the
sum of (quantity × price − discount), plus tax, is total_paid.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

Line = dict[str, Any]
CENT = Decimal("0.01")


def money(amount: Decimal | str | int) -> str:
    return str(Decimal(amount).quantize(CENT))


def naive(moment: datetime) -> str:
    """The API declares no format and no zone; this is the till's own clock."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def read_lines(lines: Sequence[Any]) -> list[Line]:
    """Lines as (name, quantity, price), or as dicts, with `discount`, `tax`, `product_id`."""
    names = ("name", "quantity", "price")
    return [dict(zip(names, n, strict=True)) if isinstance(n, tuple) else n for n in lines]


def line_json(number: int, line: Line) -> dict[str, Any]:
    return {
        "order_line_id": number,
        "product_id": line.get("product_id", 7000 + number % 10),
        "product_name": line["name"],
        "quantity": str(line.get("quantity", 1)),
        "sale_price": money(line["price"]),
        "total_discount": money(line.get("discount", 0)),
        "line_item_total_tax_collected": money(line.get("tax", 0)),
    }


def line_total(line: dict[str, Any]) -> Decimal:
    """What a line costs before tax."""
    full = Decimal(line["quantity"]) * Decimal(line["sale_price"])
    return full - Decimal(line["total_discount"])


def order_total(lines: list[dict[str, Any]]) -> Decimal:
    tax = sum((Decimal(line["line_item_total_tax_collected"]) for line in lines), Decimal(0))
    return sum((line_total(line) for line in lines), Decimal(0)) + tax


def payment_json(number: int, amount: Decimal, kind: str, tips: Decimal | str) -> dict[str, Any]:
    return {
        "id": number,
        "amount": money(amount),
        "payment_type": kind,
        "tips_amount": money(tips),
    }


def take_off(lines: list[dict[str, Any]], coupon: dict[str, Any]) -> None:
    """Spends a coupon on the lines: a percentage of each, or an amount until it is used up."""
    left = Decimal(coupon["amount"] or 0)
    for line in lines:
        price = line_total(line)
        share = price * Decimal(coupon["percentage"] or 0) / 100
        off = min(left, price) if coupon["amount"] else share
        left -= off
        line["total_discount"] = money(Decimal(line["total_discount"]) + off)


class Refused(Exception):
    """An error answer: `{"error": {"message": text or list, "code": 400 | 404}}`."""

    def __init__(self, code: int, message: str | list[str]) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def positive(value: Any) -> Decimal | None:
    """A positive decimal number as the API takes it, or None."""
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        return None
    return number if number.is_finite() and number > 0 else None


def read_coupon(given: dict[str, Any]) -> dict[str, Any]:
    """A generic coupon: an amount or a percentage off an order."""
    problems = []
    amount, percentage = (positive(given.get(name)) for name in ("amount", "percentage"))
    if (amount is None) == (percentage is None):
        problems.append("Either amount or percentage must be a positive number")
    if percentage is not None and percentage > 100:
        problems.append("Percentage must not exceed 100")
    if problems:
        raise Refused(400, problems)
    return {
        **given,
        "amount": money(amount) if amount else None,
        "percentage": str(percentage) if percentage else None,
    }
