"""The sample chain of the demo: two cafes, a few thousand guests, a year of orders.

The same for everybody who starts it on the same day: all chance comes from one seed. Points are
earned by the product's own rules, and the books it writes can be proven like any others.
"""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core.domain.bonuses import Bonus, Kind, Occasion, Past, Rule, best, on_top
from core.domain.earning import Award, Item, Rates, Sale, Worth, award
from core.domain.money import to_major
from core.keys import Keys
from core.services import cafes as cafe_service
from core.storage.tables import (
    accounts,
    bonus_rules,
    bonus_uses,
    cafes,
    guests,
    ledger_entries,
    memberships,
    order_lines,
    orders,
    products,
    programmes,
    referrals,
    rewards,
)
from core.storage.tx import Tx

GUESTS = 2_847
ORDERS = 11_249
DAYS = 365
INVITED = 0.09
"""Of all guests, by a friend."""
INVITATION_POINTS = 100
"""To either side: what a new programme gives."""
ZONE = ZoneInfo("Europe/Belgrade")
SOURCE = "demo"

CAFES = {"bife": "BIFE", "harats": "HARATS"}

Menu = tuple[tuple[str, str, str, str, int], ...]

MENU: Menu = (
    ("espresso", "Espresso", "Espreso", "Эспрессо", 180_00),
    ("cappuccino", "Cappuccino", "Kapućino", "Капучино", 260_00),
    ("flat-white", "Flat white", "Flet vajt", "Флэт уайт", 290_00),
    ("lemonade", "Lemonade", "Limunada", "Лимонад", 240_00),
    ("croissant", "Croissant", "Kroasan", "Круассан", 210_00),
    ("cheesecake", "Cheesecake", "Čizkejk", "Чизкейк", 420_00),
    ("sandwich", "Sandwich", "Sendvič", "Сэндвич", 390_00),
)
"""SKU, names in English, Serbian and Russian, price in minor units of RSD."""

STARS = {"cheesecake": 600, "croissant": 300, "sandwich": 500}
"""The products that are worth points of their own; `/till` shows them with their prices."""

REWARDS = (
    ({"en": "Any cake", "sr": "Kolač po izboru", "ru": "Любой десерт"}, 2_500),
    ({"en": "Breakfast for two", "sr": "Doručak za dvoje", "ru": "Завтрак на двоих"}, 6_000),
)

LEMONADE = {"en": "Lemonade season", "sr": "Sezona limunade", "ru": "Сезон лимонада"}
BONUSES: tuple[tuple[Kind, dict[str, str], dict[str, Any], int, int | None], ...] = (
    ("welcome", {}, {"points": 200}, DAYS, None),
    ("product_multiplier", LEMONADE, {"factor": 200, "skus": ["lemonade"]}, 60, 150_000),
)
"""Kind, names, params, since how many days it counts, budget. None of them asks the clock, so that
the demo's first order is the same at any hour."""

FIRST_NAMES = {
    "sr": ("Ana", "Marko", "Jelena", "Nikola", "Milica", "Stefan", "Jovana", "Luka", "Ivana"),
    "ru": ("Анна", "Иван", "Мария", "Дмитрий", "Елена", "Алексей", "Ольга", "Сергей"),
    "en": ("Emma", "Jack", "Olivia", "Noah", "Sophie", "Liam", "Grace", "Oscar"),
}
INITIALS = {"sr": "ABDĐJKLMNPRSTV", "ru": "АБВГДЕКЛМНПС", "en": "ABCDEFGHJKLM"}
LANGUAGES = ("sr", "ru", "en")
SHARES = (6, 3, 1)


def build(tx: Tx, keys: Keys, now: datetime) -> None:
    """Writes the chain into an empty, migrated database: one second or two."""
    chance = random.Random(1907)
    places = [_cafe(tx, slug, name, now) for slug, name in CAFES.items()]
    regulars = _guests(tx, keys, chance, places, now)
    _invite(random.Random(2011), regulars)
    _write(tx, _year(chance, regulars, now))
    _keep_referrals(tx, regulars)


@dataclass(frozen=True, slots=True)
class _Cafe:
    """`bonuses`: each rule, and since when it counts."""

    id: int
    programme: int
    bonuses: list[tuple[datetime, Rule]]


@dataclass(slots=True)
class _Guest:
    id: int
    cafe: _Cafe
    joined: datetime
    weight: float
    inviter: _Guest | None = None
    first: dict[str, Any] | None = None
    """The order that the invitation was rewarded for."""
    orders: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    carry: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    balance: dict[int, int] = field(default_factory=lambda: defaultdict(int))


def _cafe(tx: Tx, slug: str, name: str, now: datetime) -> _Cafe:
    cafe_id = cafe_service.add(tx, slug, name, "RSD", str(ZONE), now - timedelta(days=DAYS))
    programme = tx.scalar(sa.select(cafes.c.programme_id).where(cafes.c.id == cafe_id))
    tx.execute(
        sa.insert(rewards),
        [{"programme_id": programme, "names": names, "cost": cost} for names, cost in REWARDS],
    )
    tx.execute(
        sa.insert(products),
        [
            {
                "programme_id": programme,
                "sku": row[0],
                "names": names_of(row),
                "points": STARS[row[0]],
                "price_minor": row[4],
                "active": True,
            }
            for row in MENU
            if row[0] in STARS
        ],
    )
    tx.execute(sa.update(programmes).where(programmes.c.id == programme).values(name=name))
    return _Cafe(cafe_id, programme, [_bonus(tx, programme, *one, now) for one in BONUSES])


def _bonus(
    tx: Tx,
    programme: int,
    kind: Kind,
    names: dict[str, str],
    params: dict[str, Any],
    since_days: int,
    budget: int | None,
    now: datetime,
) -> tuple[datetime, Rule]:
    since = now - timedelta(days=since_days)
    row = {"programme_id": programme, "kind": kind, "names": names, "params": params}
    rule_id = tx.scalar(
        sa.insert(bonus_rules)
        .values(**row, budget_points=budget, starts_at=since, created_at=since)
        .returning(bonus_rules.c.id)
    )
    return since, Rule(rule_id, kind, names, params)


def names_of(row: tuple[str, str, str, str, int]) -> dict[str, str]:
    """The names of a line of the menu, by language."""
    return dict(zip(("en", "sr", "ru"), row[1:4], strict=True))


def _guests(
    tx: Tx, keys: Keys, chance: random.Random, places: list[_Cafe], now: datetime
) -> list[_Guest]:
    """Guests who joined all through the year, more of them lately; some come often, most rarely."""
    found = []
    rows = []
    for number in range(1, GUESTS + 1):
        language = chance.choices(LANGUAGES, SHARES)[0]
        joined = now - timedelta(days=DAYS * chance.random() ** 1.3, minutes=chance.randrange(600))
        cafe = chance.choices(places, (3, 2))[0]
        found.append(_Guest(number, cafe, joined, chance.paretovariate(1.2)))
        rows.append(
            {
                "id": number,
                "public_id": _public_id(number),
                "name": _name(chance, language),
                "language": language,
                "phone": f"+38160{number:07d}",
                "phone_proven": True,
                "offers": chance.random() < 0.6,
                "home_cafe_id": cafe.id,
                "secret": keys.encrypt(hashlib.sha256(f"demo {number}".encode()).digest()[:20]),
                "created_at": joined,
            }
        )
    tx.execute(sa.insert(guests), rows)
    tx.execute(
        sa.insert(memberships),
        [{"guest_id": g.id, "cafe_id": g.cafe.id, "since": g.joined} for g in found],
    )
    if not tx.is_sqlite:  # ids were given by us, so the sequence has to follow
        tx.execute(sa.text("SELECT setval('guest_id_seq', (SELECT max(id) FROM guest))"))
    return found


def _invite(chance: random.Random, regulars: list[_Guest]) -> None:
    """Some have come by a friend of the same cafe, who was there before."""
    earlier: dict[int, list[_Guest]] = defaultdict(list)
    for guest in sorted(regulars, key=lambda guest: guest.joined):
        friends = earlier[guest.cafe.id]
        if friends and chance.random() < INVITED:
            guest.inviter = chance.choice(friends)
        friends.append(guest)


def _name(chance: random.Random, language: str) -> str:
    return f"{chance.choice(FIRST_NAMES[language])} {chance.choice(INITIALS[language])}."


def _public_id(number: int) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    digest = hashlib.sha256(f"guest {number}".encode()).digest()
    return "".join(alphabet[byte % 32] for byte in digest[:16])


def _year(chance: random.Random, regulars: list[_Guest], now: datetime) -> Iterator[dict[str, Any]]:
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
        yield {"number": number, "at": at, "guest": guest, "cafe": cafe, "lines": _basket(chance)}


def _moment(chance: random.Random, now: datetime) -> datetime:
    """Busier lately, busiest in the morning and after lunch."""
    day = (now - timedelta(days=1 + DAYS * chance.random() ** 1.15)).astimezone(ZONE)
    hour = chance.choices((8, 9, 10, 12, 13, 15, 17, 19), (5, 7, 4, 4, 5, 3, 3, 2))[0]
    return day.replace(hour=hour, minute=chance.randrange(60), second=chance.randrange(60))


def _basket(chance: random.Random) -> list[tuple[tuple[str, str, str, str, int], int]]:
    kinds = chance.sample(MENU, chance.choices((1, 2, 3), (5, 4, 1))[0])
    return [(row, chance.choices((1, 2), (5, 1))[0]) for row in kinds]


# -- into the tables -------------------------------------------------------------------------------


def _write(tx: Tx, year: Iterator[Mapping[str, Any]]) -> None:
    rates = Rates(earn_minor=100, earn_points=1)
    worth = {row[0]: Worth(STARS[row[0]], names_of(row)) for row in MENU if row[0] in STARS}
    rows: dict[sa.Table, list[dict[str, Any]]] = defaultdict(list)
    holders: dict[tuple[int, int], _Guest] = {}
    for one in year:
        items = [
            Item(names_of(row)["sr"], Decimal(count), row[4], row[0]) for row, count in one["lines"]
        ]
        total = sum(int(item.quantity) * item.price_minor for item in items)
        guest: _Guest | None = one["guest"]
        points, carry, because = 0, 0, []
        if guest is not None:
            programme = one["cafe"].programme
            sale = Sale(rates, total, total, items, worth)
            given = award(sale, currency="RSD", carry_minor=guest.carry[programme])
            bonuses = _bonuses(one, sale, given, guest.orders[programme])
            given = on_top(given, bonuses)
            guest.orders[programme] += 1
            rows[bonus_uses] += [_use(one, guest, bonus) for bonus in bonuses]
            points, because = given.points, list(given.because)
            carry = given.carry_minor - guest.carry[programme]
            guest.carry[programme] = given.carry_minor
            guest.balance[programme] += points
            holders[guest.id, programme] = guest
            rows[ledger_entries].append(_entry(one, guest, points, because))
            if guest.inviter is not None and guest.first is None:
                guest.first = dict(one)
                holders[guest.inviter.id, programme] = guest.inviter
                rows[ledger_entries] += _rewarded(one, guest, guest.inviter)
        rows[orders].append(_order(one, guest, total, points, carry, because))
        rows[order_lines] += _lines(one["number"], items)
    rows[accounts] = [
        {
            "guest_id": guest_id,
            "programme_id": programme,
            "balance": guest.balance[programme],
            "carry_minor": guest.carry[programme],
        }
        for (guest_id, programme), guest in holders.items()
    ]
    for table in (orders, order_lines, accounts, ledger_entries, bonus_uses):
        tx.execute(sa.insert(table), rows[table])
    spent = sa.select(sa.func.sum(bonus_uses.c.points)).where(
        bonus_uses.c.rule_id == bonus_rules.c.id
    )
    tx.execute(
        sa.update(bonus_rules).values(spent_points=sa.func.coalesce(spent.scalar_subquery(), 0))
    )
    if not tx.is_sqlite:
        tx.execute(sa.text("SELECT setval('orders_id_seq', (SELECT max(id) FROM orders))"))


def _order(
    one: Mapping[str, Any],
    guest: _Guest | None,
    total: int,
    points: int,
    carry: int,
    because: list[Any],
) -> dict[str, Any]:
    order_id = f"D{one['number']:05d}"
    balance = guest.balance[one["cafe"].programme] if guest else None
    return {
        "id": one["number"],
        "cafe_id": one["cafe"].id,
        "source": SOURCE,
        "order_id": order_id,
        "fingerprint": hashlib.sha256(f"{order_id} {to_major(total, 'RSD')}".encode()).digest(),
        "guest_id": guest.id if guest else None,
        "total_minor": total,
        "currency": "RSD",
        "paid_at": one["at"],
        "received_at": one["at"],
        "points": points,
        "carry_minor": carry,
        "earned_minor": total if guest else 0,
        "programme_id": one["cafe"].programme if guest else None,
        "because": because,
        "response": {"order_id": order_id, "points": points, "balance": balance, "because": []},
    }


def _bonuses(one: Mapping[str, Any], sale: Sale, plain: Award, before: int) -> list[Bonus]:
    """What the order is given on top; the budgets are large enough."""
    rules = [rule for since, rule in one["cafe"].bonuses if since <= one["at"]]
    return best(rules, Occasion(sale, plain.points, one["at"], Past(before)))


def _use(one: Mapping[str, Any], guest: _Guest, bonus: Bonus) -> dict[str, Any]:
    return {
        "rule_id": bonus.rule.id,
        "guest_id": guest.id,
        "order_row": one["number"],
        "points": bonus.points,
        "at": one["at"],
    }


def _entry(
    one: Mapping[str, Any], guest: _Guest, points: int, because: list[Any]
) -> dict[str, Any]:
    return {
        "guest_id": guest.id,
        "programme_id": one["cafe"].programme,
        "cafe_id": one["cafe"].id,
        "kind": "order",
        "reference": f"order:{one['number']}",
        "points": points,
        "balance": guest.balance[one["cafe"].programme],
        "because": because,
        "at": one["at"],
    }


def _rewarded(one: Mapping[str, Any], friend: _Guest, inviter: _Guest) -> Iterator[dict[str, Any]]:
    """The entries of an invitation, which an order has just rewarded."""
    for guest, rule in ((friend, "invited"), (inviter, "invitation")):
        guest.balance[one["cafe"].programme] += INVITATION_POINTS
        because = [{"rule": rule, "points": INVITATION_POINTS}]
        entry = _entry(one, guest, INVITATION_POINTS, because)
        yield {**entry, "kind": "referral", "reference": f"referral:{one['number']}"}


def _keep_referrals(tx: Tx, regulars: list[_Guest]) -> None:
    tx.execute(
        sa.insert(referrals),
        [_referral(guest, guest.inviter) for guest in regulars if guest.inviter is not None],
    )
    waiting = sa.select(referrals.c.friend_id).where(referrals.c.rewarded_at.is_(None))
    tx.execute(sa.update(guests).where(guests.c.id.in_(waiting)).values(invited=True))


def _referral(friend: _Guest, inviter: _Guest) -> dict[str, Any]:
    first, points = friend.first, INVITATION_POINTS if friend.first else 0
    return {
        "inviter_id": inviter.id,
        "friend_id": friend.id,
        "created_at": friend.joined,
        "programme_id": friend.cafe.programme if first else None,
        "order_row": first["number"] if first else None,
        "inviter_points": points,
        "friend_points": points,
        "rewarded_at": first["at"] if first else None,
    }


def _lines(number: int, items: list[Item]) -> list[dict[str, Any]]:
    return [
        {
            "order_row": number,
            "position": position,
            "sku": item.sku,
            "name": item.name,
            "quantity": str(item.quantity),
            "price_minor": item.price_minor,
        }
        for position, item in enumerate(items)
    ]
