"""What an order earns, and why.

A line whose product is worth points earns them for each piece, and its money does not earn by spend
as well. The rest earns by spend: each full `earn_minor` gives `earn_points`, and what is left over
is carried to the guest's next order, so that 30 + 20 earns like 50.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

Because = dict[str, Any]
"""One reason for points, kept with them for ever:

{"rule": "spend", "points", "spent_minor", "currency", "carried_minor"}  carried: what helped
{"rule": "product", "points", "names": {language: name}, "quantity"}     quantity: decimal text
"""


class Rates(NamedTuple):
    """A programme's rule for money: `earn_minor` spent gives `earn_points`."""

    earn_minor: int
    earn_points: int


@dataclass(frozen=True, slots=True)
class Worth:
    """A product's points for one piece; its names by language."""

    points: int
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Item:
    """A line of an order. `price_minor` is of one, before discount."""

    name: str
    quantity: Decimal
    price_minor: int
    sku: str | None = None


class Award(NamedTuple):
    """`carry_minor` is what the account carries from now on, not what this order added to it."""

    points: int
    carry_minor: int
    because: tuple[Because, ...]


def award(
    rates: Rates,
    products: Mapping[str, Worth],
    *,
    total_minor: int,
    currency: str,
    items: Sequence[Item],
    carry_minor: int,
    left_minor: int | None = None,
) -> Award:
    """What an order of `total_minor` gives a guest whose account carries `carry_minor`.

    `products` by sku. `left_minor`: what a refund, earlier than the guest was found, left of the
    total (None: all); products and spend earn in that proportion. Nothing left, nothing earned.
    """
    left = total_minor if left_minor is None else left_minor
    if total_minor <= 0 or left <= 0:
        return Award(0, carry_minor, ())
    counted = [
        (item, products[item.sku])
        for item in items
        if item.sku is not None and item.sku in products
    ]
    because = [_product(item, worth, left, total_minor) for item, worth in counted]
    because = [reason for reason in because if reason["points"] > 0]
    in_products = sum(_cost(item) for item, _ in counted)
    spent = min(max(total_minor - in_products, 0), total_minor) * left // total_minor
    carry = carry_minor
    if spent:
        steps = max(0, (carry_minor + spent) // rates.earn_minor)
        carry = carry_minor + spent - steps * rates.earn_minor
        because.append(
            {
                "rule": "spend",
                "points": steps * rates.earn_points,
                "spent_minor": spent,
                "currency": currency,
                "carried_minor": carry_minor if steps > spent // rates.earn_minor else 0,
            }
        )
    return Award(sum(reason["points"] for reason in because), carry, tuple(because))


def visits_until(rates: Rates, points: int, total_minor: int) -> int | None:
    """How many orders of `total_minor` it takes to have `points`, from nothing; None: however many
    there are. What each leaves over is carried, so it is as if all were one."""
    if rates.earn_points <= 0 or total_minor <= 0:
        return None
    steps = -(-points // rates.earn_points)
    return -(-steps * rates.earn_minor // total_minor)


def _product(item: Item, worth: Worth, left: int, total: int) -> Because:
    return {
        "rule": "product",
        "points": int(item.quantity * worth.points) * left // total,
        "names": dict(worth.names),
        "quantity": f"{item.quantity:f}",
    }


def _cost(item: Item) -> int:
    return int((item.quantity * item.price_minor).to_integral_value(ROUND_HALF_UP))
