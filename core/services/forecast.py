"""What a rule for bonuses would have given in the last 30 days: about, from the latest orders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core.domain.bonuses import Kind, Occasion, Past, Rule, Used, best
from core.domain.earning import Item, Rates, Sale, Worth
from core.domain.roles import Member
from core.services import schemes
from core.services.bonus_rules import Draft, params
from core.services.bonuses import OF_VISITS, paid, paid_at, visits_in
from core.services.permission import require_programme
from core.services.programmes import sku_of
from core.storage.tables import cafes, guests, order_lines, orders, products
from core.storage.tx import Tx

OF_DAYS = timedelta(days=30)
MOST = 1000
"""Orders that are looked at; where there were more, they stand for the rest."""

_o = orders.c


@dataclass(frozen=True, slots=True)
class Forecast:
    """So many points for so many orders; both are about that many."""

    points: int
    orders: int


def forecast(tx: Tx, by: Member, programme_id: int, draft: Draft, now: datetime) -> Forecast:
    """Its days aside: as if it had counted all the time. Rejected for what can't be meant."""
    require_programme(tx, by, "bonuses", programme_id)
    scheme = schemes.one(tx, by, programme_id)
    terms = params(draft.kind, draft.params)
    rule = Rule(0, cast(Kind, draft.kind), draft.names, terms, draft.per_guest)
    latest = _latest(tx, programme_id, rule, now)
    lines = _lines(tx, latest) if rule.kind == "product_multiplier" else {}
    known = _products(tx, programme_id) if lines else {}
    used: dict[int, Used] = {}
    given = []
    for row in latest:
        rates = Rates(scheme.earn_minor, scheme.earn_points)
        sale = Sale(rates, row.total_minor, row.earned_minor, lines.get(row.id, ()), known)
        for bonus in best([rule], _occasion(row, sale, used)):
            given.append(bonus.points)
            used[row.guest_id] = Used(_times(used, row.guest_id) + 1, row.at)
    whole = _count(tx, programme_id, now) if len(latest) == MOST else len(latest)
    points = sum(given) * whole // max(len(latest), 1)
    return Forecast(min(points, draft.budget or points), len(given) * whole // max(len(latest), 1))


def _occasion(row: Any, sale: Sale, used: Mapping[int, Used]) -> Occasion:
    """The order as it was when it was paid."""
    zone = ZoneInfo(row.timezone)
    at = row.at.astimezone(zone)
    today = row.last_at is not None and row.last_at.astimezone(zone).date() == at.date()
    return Occasion(
        sale,
        sum(reason["points"] for reason in row.because if reason["rule"] != "bonus"),
        at,
        Past(row.visits, today, row.parts > 0),
        row.birthday,
        {0: used[row.guest_id]} if row.guest_id in used else None,
    )


def _times(used: Mapping[int, Used], guest_id: int) -> int:
    return used[guest_id].times if guest_id in used else 0


# -- the orders ------------------------------------------------------------------------------------


def _counted(programme_id: int, now: datetime) -> sa.ColumnElement[bool]:
    since = _o.received_at > now - OF_DAYS
    return sa.and_(_o.programme_id == programme_id, _o.guest_id.is_not(None), since, paid(_o))


def _count(tx: Tx, programme_id: int, now: datetime) -> int:
    return int(tx.scalar(sa.select(sa.func.count()).where(_counted(programme_id, now))))


def _latest(tx: Tx, programme_id: int, rule: Rule, now: datetime) -> Sequence[Any]:
    """The latest orders, the oldest of them first; what was before each, where it matters."""
    visits, last_at, parts = (
        _before() if rule.kind in OF_VISITS else (sa.literal(0), sa.null(), sa.literal(0))
    )
    rows = tx.execute(
        sa.select(
            _o.id,
            _o.guest_id,
            _o.total_minor,
            _o.earned_minor,
            _o.because,
            paid_at(_o).label("at"),
            cafes.c.timezone,
            guests.c.birthday,
            visits.label("visits"),
            last_at.label("last_at"),
            parts.label("parts"),
        )
        .join(cafes, cafes.c.id == _o.cafe_id)
        .join(guests, guests.c.id == _o.guest_id)
        .where(_counted(programme_id, now))
        .order_by(_o.id.desc())
        .limit(MOST)
    )
    return rows.all()[::-1]


_NOTHING_BEFORE = (sa.literal(0), sa.null(), sa.literal(0))


def _before() -> tuple[sa.ScalarSelect[Any], ...]:
    """How many visits the guest's earlier orders were, when the last was paid, and how many were
    in this order's visit."""
    b = orders.alias("before").c
    earlier = sa.and_(
        b.guest_id == _o.guest_id, b.programme_id == _o.programme_id, b.id < _o.id, paid(b)
    )
    return (
        sa.select(visits_in(b)).where(earlier).scalar_subquery(),
        sa.select(sa.func.max(paid_at(b))).where(earlier).scalar_subquery(),
        sa.select(sa.func.count()).where(earlier, b.visit_id == _o.visit_id).scalar_subquery(),
    )


def _lines(tx: Tx, found: Sequence[Any]) -> dict[int, list[Item]]:
    c = order_lines.c
    rows = tx.execute(
        sa.select(c.order_row, c.name, c.quantity, c.price_minor, c.sku)
        .where(c.order_row.in_([row.id for row in found]))
        .order_by(c.order_row, c.position)
    )
    lines: dict[int, list[Item]] = defaultdict(list)
    for row in rows:
        lines[row.order_row].append(Item(row.name, Decimal(row.quantity), row.price_minor, row.sku))
    return lines


def _products(tx: Tx, programme_id: int) -> dict[str, Worth]:
    """Those that are worth points of their own today."""
    p = products.c
    rows = tx.execute(
        sa.select(p.id, p.sku, p.points, p.names).where(
            p.programme_id == programme_id, p.active, p.points.is_not(None)
        )
    )
    return {sku_of(row.id, row.sku): Worth(row.points, row.names) for row in rows}
