"""What an order earns, and why.

A line whose product is worth points earns them for each piece, and its money does not earn by spend
as well. The rest earns by spend: each full `earn_minor` gives `earn_points`, and what is left over
is carried to the guest's next order, so that 30 + 20 earns like 50.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

Because = dict[str, Any]
"""One reason for points, kept with them for ever:

{"rule": "spend", "points", "spent_minor", "currency", "carried_minor"}  carried: what helped
{"rule": "product", "points", "names": {language: name}, "quantity"}     quantity: decimal text
{"rule": "bonus", "points", "kind", "names": {language: name}, "factor"}  hundredths
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


@dataclass(frozen=True, slots=True)
class Sale:
    """What an order earns by: of `total_minor` refunds that came before its guest was known have
    left `left_minor`; `products` by sku are those that are worth points of their own."""

    rates: Rates
    total_minor: int
    left_minor: int
    items: Sequence[Item] = ()
    products: Mapping[str, Worth] = field(default_factory=dict)

    @property
    def by_piece(self) -> list[tuple[Item, Worth]]:
        """The lines that earn by the piece."""
        return [(item, worth) for item in self.items if (worth := self.worth(item)) is not None]

    @property
    def by_spend_minor(self) -> int:
        """The money that earns, whatever was refunded since."""
        in_products = sum(_cost(item) for item, _ in self.by_piece)
        return min(max(self.total_minor - in_products, 0), self.total_minor)

    def left_of(self, whole: int) -> int:
        """Of so many points, or so much money, the part that was not refunded."""
        return whole * self.left_minor // self.total_minor

    def worth(self, item: Item) -> Worth | None:
        return None if item.sku is None else self.products.get(item.sku)


class Award(NamedTuple):
    """`carry_minor` is what the account carries from now on, not what this order added to it."""

    points: int
    carry_minor: int
    because: tuple[Because, ...]


def award(sale: Sale, *, currency: str, carry_minor: int) -> Award:
    """What it gives a guest whose account carries `carry_minor`. Nothing left, nothing earned."""
    if sale.total_minor <= 0 or sale.left_minor <= 0:
        return Award(0, carry_minor, ())
    because = [_product(item, worth, sale) for item, worth in sale.by_piece]
    because = [reason for reason in because if reason["points"] > 0]
    spent = sale.left_of(sale.by_spend_minor)
    carry = carry_minor
    if spent:
        earn_minor, earn_points = sale.rates
        steps = max(0, (carry_minor + spent) // earn_minor)
        carry = carry_minor + spent - steps * earn_minor
        because.append(
            {
                "rule": "spend",
                "points": steps * earn_points,
                "spent_minor": spent,
                "currency": currency,
                "carried_minor": carry_minor if steps > spent // earn_minor else 0,
            }
        )
    return Award(sum(reason["points"] for reason in because), carry, tuple(because))


def earned_by(skus: Collection[str], sale: Sale) -> int:
    """The points that these products account for: their own, and what their share of the money
    that earns comes to by itself. A discount is every line's in proportion."""
    if sale.total_minor <= 0:
        return 0
    pieces = sum(_of_pieces(item, worth, sale) for item, worth in sale.by_piece if item.sku in skus)
    rest = [item for item in sale.items if sale.worth(item) is None]
    cost = sum(_cost(item) for item in rest if item.sku in skus)
    money = sale.by_spend_minor
    whole = max(sum(_cost(item) for item in rest), money)
    spent = sale.left_of(money * cost // whole) if whole > 0 else 0
    return max(pieces, 0) + max(spent, 0) // sale.rates.earn_minor * sale.rates.earn_points


def visits_until(rates: Rates, points: int, total_minor: int) -> int | None:
    """How many orders of `total_minor` it takes to have `points`, from nothing; None: however many
    there are. What each leaves over is carried, so it is as if all were one."""
    if rates.earn_points <= 0 or total_minor <= 0:
        return None
    steps = -(-points // rates.earn_points)
    return -(-steps * rates.earn_minor // total_minor)


def _product(item: Item, worth: Worth, sale: Sale) -> Because:
    return {
        "rule": "product",
        "points": _of_pieces(item, worth, sale),
        "names": dict(worth.names),
        "quantity": f"{item.quantity:f}",
    }


def _of_pieces(item: Item, worth: Worth, sale: Sale) -> int:
    return sale.left_of(int(item.quantity * worth.points))


def _cost(item: Item) -> int:
    return int((item.quantity * item.price_minor).to_integral_value(ROUND_HALF_UP))
