"""Cafes: adding one, ready to serve, and finding them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core.contract import CafeInfo
from core.domain import money, names
from core.services import eventlog
from core.services.errors import NotPossible, Rejected
from core.storage.tables import bonus_rules, cafes, programmes, rewards
from core.storage.tx import Prepared, Tx

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
"""Fits a path, a DNS label and, as `cafe_<slug>`, the 64 characters of a Telegram deep link."""

FIRST_REWARD = {"en": "Free coffee", "sr": "Besplatna kafa", "ru": "Бесплатный кофе"}
FIRST_REWARD_COST = 1000


class CafeRow(NamedTuple):
    """A cafe and how its programme earns, as orders and refunds need it: `earn_minor` spent gives
    `earn_points` of `unit` (points or stamps). `bonuses`: it has a rule for them that is on."""

    id: int
    slug: str
    name: str
    currency: str
    programme_id: int
    unit: str
    earn_minor: int
    earn_points: int
    bonuses: bool


ROW = (
    cafes.c.id,
    cafes.c.slug,
    cafes.c.name,
    cafes.c.currency,
    cafes.c.programme_id,
    programmes.c.unit,
    programmes.c.earn_minor,
    programmes.c.earn_points,
    sa.exists()
    .where(bonus_rules.c.programme_id == programmes.c.id, bonus_rules.c.active)
    .correlate(programmes),
)
"""The columns of a CafeRow, from a join of both tables."""

_BY_ID = Prepared(
    sa.select(*ROW).join_from(cafes, programmes).where(cafes.c.id == sa.bindparam("cafe"))
)


def row(tx: Tx, cafe_id: int) -> CafeRow:
    """LookupError where there is none."""
    found = tx.run(_BY_ID, cafe=cafe_id)
    if found is None:
        raise LookupError(f"there is no cafe {cafe_id}")
    return CafeRow(*found)


def add(tx: Tx, slug: str, name: str, currency: str, timezone: str, now: datetime) -> int:
    """A new cafe with a programme of its own: 1 point for each 1.00 spent, one reward for 1,000.

    Returns its row id. NotPossible where the slug is taken or something is malformed.
    """
    if not SLUG.fullmatch(slug):
        raise NotPossible(
            f'"{slug}" can\'t be a slug: up to 40 of a-z, 0-9 and - (not first or last)'
        )
    name = clean_name(name)
    _check_currency(currency)
    _check_timezone(timezone)
    if find(tx, slug) is not None:
        raise NotPossible(f'there is a cafe "{slug}" already')
    programme_id = first_programme(tx, name, currency, now)
    cafe_id = tx.scalar(
        sa.insert(cafes)
        .values(
            slug=slug,
            name=name,
            currency=currency,
            timezone=timezone,
            programme_id=programme_id,
            created_at=now,
        )
        .returning(cafes.c.id)
    )
    eventlog.log(tx, "cafe_added", now, cafe_id=cafe_id)
    return int(cafe_id)


def find(tx: Tx, slug: str) -> int | None:
    """The row id of the cafe with this slug."""
    found = tx.scalar(sa.select(cafes.c.id).where(cafes.c.slug == slug))
    return None if found is None else int(found)


def get(tx: Tx, slug: str) -> int:
    """As `find`; NotPossible where there is none, naming those that there are."""
    found = find(tx, slug)
    if found is None:
        known = ", ".join(cafe.slug for cafe in everyone(tx)) or "none yet: malva cafe add"
        raise Rejected("cafe", f'there is no cafe "{slug}" (there are: {known})')
    return found


def everyone(tx: Tx) -> Sequence[CafeInfo]:
    """All cafes, in the order in which they were added."""
    rows = tx.execute(
        sa.select(cafes.c.slug, cafes.c.name, cafes.c.currency, cafes.c.timezone).order_by(
            cafes.c.id
        )
    )
    return [CafeInfo(r.slug, r.name, r.currency, r.timezone) for r in rows]


def clean_name(text: str) -> str:
    """A name of a cafe, till or member of staff; NotPossible where it can't be one."""
    name = names.clean_name(text)
    if name is None:
        raise Rejected("name", f"the name is empty or longer than {names.LONGEST} characters")
    return name


def first_programme(tx: Tx, name: str, currency: str, now: datetime) -> int:
    """A programme to start with; its row id."""
    programme_id = tx.scalar(
        sa.insert(programmes)
        .values(
            name=name,
            currency=currency,
            earn_minor=10 ** money.exponent(currency),
            earn_points=1,
            created_at=now,
        )
        .returning(programmes.c.id)
    )
    tx.execute(
        sa.insert(rewards).values(
            programme_id=programme_id, names=FIRST_REWARD, cost=FIRST_REWARD_COST
        )
    )
    return int(programme_id)


def _check_currency(currency: str) -> None:
    from babel.numbers import list_currencies  # here: nobody but `cafe add` needs the list

    if currency not in list_currencies():
        raise NotPossible(f'"{currency}" is no ISO 4217 currency, such as RSD or EUR')


def _check_timezone(timezone: str) -> None:
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):  # unknown, malformed, a folder of the zone database
        raise NotPossible(f'"{timezone}" is no time zone, such as Europe/Belgrade') from None
