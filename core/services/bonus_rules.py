"""The rules for bonuses of a programme, as those who run it see and change them.

What they give for an order is decided in `core/domain/bonuses.py` and counted in `bonuses.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from core.domain import money
from core.domain.bonuses import KINDS, MINUTES, MULTIPLIERS, ONCE, Kind
from core.domain.roles import Member
from core.services import entries
from core.services.errors import Missing, Rejected
from core.services.permission import places, require, require_programme
from core.services.products import SKU_LENGTH
from core.services.programmes import sku_of
from core.services.schemes import MOST_POINTS
from core.storage import tables
from core.storage.tx import Tx

MOST_PER_GUEST = 1000
MOST_BUDGET = 10**9
MOST_FACTOR = 100 * ONCE
MOST_EVERY = 1000
MOST_DAYS = 30
MOST_SKUS = 200

_r = tables.bonus_rules.c


@dataclass(frozen=True, slots=True)
class BonusRule:
    """`names` by language, none where it goes by its kind; `params` as in `domain.bonuses.Rule`.
    It counts from `first_day` to `last_day`, both included, by the clock of the programme's first
    cafe, `per_guest` times for each, while `spent` is within `budget`; None: no bound. `products`:
    the names, by language, of those that its SKUs are known as."""

    id: int
    programme_id: int
    kind: Kind
    names: Mapping[str, str]
    params: Mapping[str, Any]
    per_guest: int | None
    budget: int | None
    spent: int
    first_day: date | None
    last_day: date | None
    coming: bool
    over: bool
    active: bool
    products: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants a rule to be; `names` without those left empty."""

    kind: str
    names: Mapping[str, str]
    params: Mapping[str, Any]
    per_guest: int | None = None
    budget: int | None = None
    first_day: date | None = None
    last_day: date | None = None


def everyone(tx: Tx, by: Member, now: datetime) -> Sequence[BonusRule]:
    """The rules of their cafes' programmes, those that are on first."""
    require(by, "bonuses")
    rows = tx.execute(
        sa.select(tables.bonus_rules)
        .where(_r.programme_id.in_({place.programme_id for place in places(tx, by)}))
        .order_by(_r.active.desc(), _r.id)
    )
    found, zones = rows.all(), entries.zones(tx)
    return [_rule(row, zones[row.programme_id], _products(tx, row), now) for row in found]


def one(tx: Tx, by: Member, rule_id: int, now: datetime) -> BonusRule:
    """Missing where it is of no programme of theirs."""
    for rule in everyone(tx, by, now):
        if rule.id == rule_id:
            return rule
    raise Missing("there is no such rule")


def add(tx: Tx, by: Member, programme_id: int, draft: Draft, now: datetime) -> int:
    """Returns its row id. Rejected for what can't be meant."""
    require_programme(tx, by, "bonuses", programme_id)
    values = _checked(draft, None, entries.zones(tx)[programme_id], now)
    rule_id = tx.scalar(
        sa.insert(tables.bonus_rules)
        .values(programme_id=programme_id, kind=draft.kind, active=True, created_at=now, **values)
        .returning(_r.id)
    )
    names = values["names"]
    entries.log(tx, "bonus_added", by, programme_id, now, names=names, bonus=draft.kind)
    return int(rule_id)


def change(tx: Tx, by: Member, rule_id: int, draft: Draft, now: datetime) -> None:
    """Counts for the orders from now on; what was given stays, and so does its kind."""
    found = _to_change(tx, by, rule_id, now)
    if draft.kind != found.kind:
        raise Rejected("bonus_kind", "a rule keeps its kind")
    values = _checked(draft, found, entries.zones(tx)[found.programme_id], now)
    tx.execute(sa.update(tables.bonus_rules).where(_r.id == rule_id).values(values))
    names = values["names"]
    entries.log(tx, "bonus_changed", by, found.programme_id, now, names=names, bonus=found.kind)


def switch(tx: Tx, by: Member, rule_id: int, active: bool, now: datetime) -> None:
    """One that is off gives nothing; what it gave stays."""
    found = _to_change(tx, by, rule_id, now)
    tx.execute(sa.update(tables.bonus_rules).where(_r.id == rule_id).values(active=active))
    kind, names = "bonus_on" if active else "bonus_off", dict(found.names)
    entries.log(tx, kind, by, found.programme_id, now, names=names, bonus=found.kind)


def _to_change(tx: Tx, by: Member, rule_id: int, now: datetime) -> BonusRule:
    found = one(tx, by, rule_id, now)
    require_programme(tx, by, "bonuses", found.programme_id)
    return found


def _products(tx: Tx, row: sa.Row[Any]) -> dict[str, Mapping[str, str]]:
    skus = frozenset(row.params.get("skus", ()))
    if not skus:
        return {}
    p = tables.products.c
    known = tx.execute(sa.select(p.id, p.sku, p.names).where(p.programme_id == row.programme_id))
    found = {sku_of(product.id, product.sku): product.names for product in known}
    return {sku: names for sku, names in found.items() if sku in skus}


def _rule(
    row: sa.Row[Any], zone: str, products: Mapping[str, Mapping[str, str]], now: datetime
) -> BonusRule:
    return BonusRule(
        id=row.id,
        programme_id=row.programme_id,
        kind=row.kind,
        names=row.names,
        params=row.params,
        per_guest=row.per_guest,
        budget=row.budget_points,
        spent=row.spent_points,
        **entries.window(row, zone, now)._asdict(),
        active=row.active,
        products=products,
    )


# -- what can be meant -----------------------------------------------------------------------------


def _checked(draft: Draft, before: BonusRule | None, zone: str, now: datetime) -> dict[str, Any]:
    """The columns' values. `before`: the rule as it is."""
    _check(draft.per_guest is None or 1 <= draft.per_guest <= MOST_PER_GUEST, "limit")
    _check(draft.budget is None or 1 <= draft.budget <= MOST_BUDGET, "budget")
    last_before = before.last_day if before else None
    return {
        "names": entries.names(draft.names),
        "params": params(draft.kind, draft.params),
        "per_guest": draft.per_guest,
        "budget_points": draft.budget,
        **entries.bounds(draft.first_day, draft.last_day, last_before, zone, now),
    }


def params(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of its kind, checked. Rejected."""
    _check(kind in KINDS, "bonus_kind")
    found: dict[str, Any]
    if kind in MULTIPLIERS:
        _check(ONCE < given["factor"] <= MOST_FACTOR, "factor")
        found = {"factor": given["factor"]}
    else:
        _check(1 <= given["points"] <= MOST_POINTS, "bonus_points")
        found = {"points": given["points"]}
    match kind:
        case "nth_visit":
            _check(2 <= given["every"] <= MOST_EVERY, "every")
            return {**found, "every": given["every"]}
        case "birthday":
            _check(0 <= given["days"] <= MOST_DAYS, "birthday_days")
            return {**found, "days": given["days"]}
        case "spend_over":
            _check(0 < given["over_minor"] <= money.MAX_MAJOR * 100, "over")
            return {**found, "over_minor": given["over_minor"]}
        case "happy_hours":
            return {**found, **_hours(given)}
        case "product_multiplier":
            return {**found, "skus": _skus(given["skus"])}
    return found


def _hours(given: Mapping[str, Any]) -> dict[str, Any]:
    weekdays = sorted(set(given["weekdays"]))
    _check(bool(weekdays) and set(weekdays) <= set(range(7)), "weekdays")
    _check(all(0 <= given[end] < MINUTES for end in ("from", "to")), "time")
    return {"weekdays": weekdays, "from": given["from"], "to": given["to"]}


def _skus(given: Sequence[str]) -> list[str]:
    found = list(dict.fromkeys(given))
    _check(1 <= len(found) <= MOST_SKUS, "skus")
    _check(all(0 < len(sku) <= SKU_LENGTH and sku.isprintable() for sku in found), "sku")
    return found


def _check(sound: bool, code: str) -> None:
    if not sound:
        raise Rejected(code, f"{code} can't be that")
