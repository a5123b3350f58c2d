"""Where it happens: the cafes, what they sell, their rewards and bonuses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core.domain.bonuses import Kind, Rule
from core.services import cafes as cafe_service
from core.storage.tables import bonus_rules, cafes, products, programmes, rewards
from core.storage.tx import Tx

DAYS = 365
"""So long they have been there."""
ZONE = ZoneInfo("Europe/Belgrade")
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
"""Points of their own; the others earn by their price."""

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


@dataclass(frozen=True)
class Place:
    """A cafe. `bonuses`: each rule, and since when it counts."""

    id: int
    programme: int
    bonuses: list[tuple[datetime, Rule]]


def open_cafe(tx: Tx, slug: str, name: str, now: datetime) -> Place:
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
                "points": STARS.get(row[0]),
                "price_minor": row[4],
                "active": True,
            }
            for row in MENU
        ],
    )
    tx.execute(sa.update(programmes).where(programmes.c.id == programme).values(name=name))
    return Place(cafe_id, programme, [_bonus(tx, programme, *one, now) for one in BONUSES])


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
