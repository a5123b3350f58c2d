"""A year of orders, and the books that they make: by the product's own rules, so that they can be
proven like any others."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from core.domain.bonuses import Bonus, Occasion, Past, best, on_top
from core.domain.earning import Award, Item, Rates, Sale, Worth, award
from core.domain.money import to_major
from core.sample.people import INVITATION_POINTS, Guest
from core.sample.shop import DAYS, MENU, STARS, ZONE, Place, names_of
from core.storage.tables import (
    accounts,
    bonus_rules,
    bonus_uses,
    ledger_entries,
    order_lines,
    orders,
)
from core.storage.tx import Tx

ORDERS = 11_249
SOURCE = "demo"
RATES = Rates(earn_minor=100, earn_points=1)
WORTH = {row[0]: Worth(STARS[row[0]], names_of(row)) for row in MENU if row[0] in STARS}
NOTHING = Award(0, 0, ())


@dataclass(frozen=True)
class Sold:
    """An order, before anything came of it."""

    number: int
    at: datetime
    guest: Guest | None
    cafe: Place
    items: list[Item]

    @property
    def total(self) -> int:
        return sum(int(item.quantity) * item.price_minor for item in self.items)


def year(chance: random.Random, regulars: list[Guest], now: datetime) -> Iterator[Sold]:
    """Every order of the year, in the order of time."""
    moments = sorted(_moment(chance, now) for _ in range(ORDERS))
    by_joining = sorted(regulars, key=lambda guest: guest.joined)
    weights = [guest.weight for guest in by_joining]
    known = 0
    for number, at in enumerate(moments, 1):
        while known < len(by_joining) and by_joining[known].joined <= at:
            known += 1
        guest = None
        if known and chance.random() < 0.85:
            guest = chance.choices(by_joining[:known], weights[:known])[0]
        cafe = guest.cafe if guest else chance.choice(regulars).cafe
        yield Sold(number, at, guest, cafe, _basket(chance))


def _moment(chance: random.Random, now: datetime) -> datetime:
    """Busier lately, busiest in the morning and after lunch."""
    day = (now - timedelta(days=1 + DAYS * chance.random() ** 1.15)).astimezone(ZONE)
    hour = chance.choices((8, 9, 10, 12, 13, 15, 17, 19), (5, 7, 4, 4, 5, 3, 3, 2))[0]
    return day.replace(hour=hour, minute=chance.randrange(60), second=chance.randrange(60))


def _basket(chance: random.Random) -> list[Item]:
    kinds = chance.sample(MENU, chance.choices((1, 2, 3), (5, 4, 1))[0])
    return [
        Item(names_of(row)["sr"], Decimal(chance.choices((1, 2), (5, 1))[0]), row[4], row[0])
        for row in kinds
    ]


class Books:
    """What the orders become, row by row."""

    def __init__(self) -> None:
        self._rows: dict[sa.Table, list[dict[str, Any]]] = defaultdict(list)
        self._holders: dict[tuple[int, int], Guest] = {}

    def count(self, sold: Sold) -> None:
        guest, programme = sold.guest, sold.cafe.programme
        given, carried = NOTHING, 0
        if guest is not None:
            given = self._award(sold, guest)
            carried = given.carry_minor - guest.carry[programme]
            guest.carry[programme] = given.carry_minor
            guest.orders[programme] += 1
            self._post(sold, guest, "order", given.points, list(given.because))
            if guest.inviter is not None and guest.first is None:
                guest.first = sold.number, sold.at
                self._post_invitation(sold, guest, "invited")
                self._post_invitation(sold, guest.inviter, "invitation")
        self._rows[orders].append(_order(sold, given, carried))
        self._rows[order_lines] += _lines(sold)

    def write(self, tx: Tx) -> None:
        self._rows[accounts] = [
            {
                "guest_id": guest_id,
                "programme_id": programme,
                "balance": guest.balance[programme],
                "carry_minor": guest.carry[programme],
            }
            for (guest_id, programme), guest in self._holders.items()
        ]
        for table in (orders, order_lines, accounts, ledger_entries, bonus_uses):
            tx.execute(sa.insert(table), self._rows[table])
        spent = sa.select(sa.func.sum(bonus_uses.c.points)).where(
            bonus_uses.c.rule_id == bonus_rules.c.id
        )
        tx.execute(
            sa.update(bonus_rules).values(spent_points=sa.func.coalesce(spent.scalar_subquery(), 0))
        )
        if not tx.is_sqlite:  # ids were given by us, so the sequence has to follow
            tx.execute(sa.text("SELECT setval('orders_id_seq', (SELECT max(id) FROM orders))"))

    def _award(self, sold: Sold, guest: Guest) -> Award:
        programme = sold.cafe.programme
        sale = Sale(RATES, sold.total, sold.total, sold.items, WORTH)
        plain = award(sale, currency="RSD", carry_minor=guest.carry[programme])
        bonuses = _bonuses(sold, sale, plain, guest.orders[programme])
        self._rows[bonus_uses] += [_use(sold, guest, bonus) for bonus in bonuses]
        return on_top(plain, bonuses)

    def _post_invitation(self, sold: Sold, guest: Guest, rule: str) -> None:
        because = [{"rule": rule, "points": INVITATION_POINTS}]
        self._post(sold, guest, "referral", INVITATION_POINTS, because)

    def _post(self, sold: Sold, guest: Guest, kind: str, points: int, because: list[Any]) -> None:
        programme = sold.cafe.programme
        guest.balance[programme] += points
        self._holders[guest.id, programme] = guest
        self._rows[ledger_entries].append(
            {
                "guest_id": guest.id,
                "programme_id": programme,
                "cafe_id": sold.cafe.id,
                "kind": kind,
                "reference": f"{kind}:{sold.number}",
                "points": points,
                "balance": guest.balance[programme],
                "because": because,
                "at": sold.at,
            }
        )


def _bonuses(sold: Sold, sale: Sale, plain: Award, before: int) -> list[Bonus]:
    """What the order is given on top; the budgets are large enough."""
    rules = [rule for since, rule in sold.cafe.bonuses if since <= sold.at]
    return best(rules, Occasion(sale, plain.points, sold.at, Past(before)))


def _use(sold: Sold, guest: Guest, bonus: Bonus) -> dict[str, Any]:
    return {
        "rule_id": bonus.rule.id,
        "guest_id": guest.id,
        "order_row": sold.number,
        "points": bonus.points,
        "at": sold.at,
    }


def _order(sold: Sold, given: Award, carried: int) -> dict[str, Any]:
    order_id, guest, programme = f"D{sold.number:05d}", sold.guest, sold.cafe.programme
    balance = guest.balance[programme] if guest else None
    said = {"order_id": order_id, "points": given.points, "balance": balance, "because": []}
    return {
        "id": sold.number,
        "cafe_id": sold.cafe.id,
        "source": SOURCE,
        "order_id": order_id,
        "fingerprint": hashlib.sha256(
            f"{order_id} {to_major(sold.total, 'RSD')}".encode()
        ).digest(),
        "guest_id": guest.id if guest else None,
        "total_minor": sold.total,
        "currency": "RSD",
        "paid_at": sold.at,
        "received_at": sold.at,
        "points": given.points,
        "carry_minor": carried,
        "earned_minor": sold.total if guest else 0,
        "programme_id": programme if guest else None,
        "because": list(given.because),
        "response": said,
    }


def _lines(sold: Sold) -> list[dict[str, Any]]:
    return [
        {
            "order_row": sold.number,
            "position": position,
            "sku": item.sku,
            "name": item.name,
            "quantity": str(item.quantity),
            "price_minor": item.price_minor,
        }
        for position, item in enumerate(sold.items)
    ]
