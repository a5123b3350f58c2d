"""Bonuses on an order: which rules count, what limits and budgets leave of them, what was used.

A use belongs to its order: refunded whole, the order was never there, and neither was the use. A
part of it takes points back in proportion and leaves limit and budget as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

import orjson
import sqlalchemy as sa

from core.domain import days
from core.domain.bonuses import Bonus, Kind, Occasion, Past, Rule, Used, choices
from core.domain.earning import Sale
from core.services.cafes import CafeRow
from core.storage.tables import bonus_rules, bonus_uses, cafes, guests, orders, programmes
from core.storage.tx import Prepared, Row, Tx
from core.storage.types import from_micros, to_micros

Columns = sa.ColumnCollection[str, sa.Column[Any]]

OF_VISITS: frozenset[Kind] = frozenset({"welcome", "first_of_day", "nth_visit"})
"""Kinds that depend on what the guest bought before."""


def of_order(
    tx: Tx,
    cafe: CafeRow,
    guest_id: int,
    sale: Sale,
    earned: int,
    paid_at: datetime,
    visit_id: int | None,
) -> Sequence[Bonus]:
    """What an order that earned so many points is given on top. The guest's account is locked, and
    so are the budgets that this will take from, until `use` does."""
    found = tx.run_all(_RULES, cafe=cafe.id, at=to_micros(_meant(paid_at)))
    if not found:
        return ()
    rules, budgets = _rules(found)
    zone: str = found[0][-1]
    order = Occasion(
        sale,
        earned,
        _meant(paid_at).astimezone(ZoneInfo(zone)),
        _past(tx, cafe, guest_id, _meant(paid_at), zone, visit_id, rules),
        _birthday(tx, guest_id, rules),
        _used(tx, guest_id, rules),
    )
    given = []
    for choice in choices(rules, order):
        given += [bonus for bonus in choice if _fits(tx, bonus, budgets)][:1]
    return given


def use(tx: Tx, guest_id: int, order_row: int, bonuses: Sequence[Bonus], now: datetime) -> None:
    """Notes what the order was given."""
    for bonus in bonuses:
        tx.run(_SPEND, rule=bonus.rule.id, more=bonus.points)
        tx.run(
            _USE,
            rule=bonus.rule.id,
            guest=guest_id,
            order=order_row,
            points=bonus.points,
            at=to_micros(now),
        )


def give_back(tx: Tx, order_row: int) -> None:
    """The order was refunded whole: limits and budgets are as if it had never been."""
    for rule_id, points in tx.run_all(_UNUSE, order=order_row):
        tx.run(_SPEND, rule=rule_id, more=-points)


# -- what a bonus depends on -----------------------------------------------------------------------

_r, _u, _o = bonus_rules.c, bonus_uses.c, orders.c

_RULES = Prepared(
    sa.select(
        _r.id,
        _r.kind,
        _r.names,
        _r.params,
        _r.per_guest,
        _r.budget_points,
        cafes.c.timezone,
    )
    .join(cafes, cafes.c.programme_id == _r.programme_id)
    .where(
        cafes.c.id == sa.bindparam("cafe"),
        _r.active,
        sa.or_(_r.starts_at.is_(None), _r.starts_at <= sa.bindparam("at")),
        sa.or_(_r.ends_at.is_(None), _r.ends_at > sa.bindparam("at")),
    )
    .order_by(_r.id)
)


def paid(o: Columns) -> sa.ColumnElement[bool]:
    """Whether an order was paid, and not refunded whole since."""
    return o.total_minor > o.refunded_minor


def paid_at(o: Columns) -> sa.ColumnElement[Any]:
    return sa.func.coalesce(o.paid_at, o.received_at)


def visits_in(o: Columns) -> sa.ColumnElement[int]:
    """How many visits orders were: a split bill is one, an order outside any is one of its own."""
    return sa.func.count(sa.func.coalesce(o.visit_id, -o.id).distinct())


_AND_MERGED = sa.select(programmes.c.id).where(
    sa.or_(
        programmes.c.id == sa.bindparam("programme"),
        programmes.c.merged_into == sa.bindparam("programme"),
    )
)
"""The programme, and those that were merged into it: who came along is nobody new."""

_PAST = Prepared(
    sa.select(
        visits_in(_o),
        sa.func.count().filter(
            sa.between(paid_at(_o), sa.bindparam("begins"), sa.bindparam("ends"))
        ),
        sa.func.count().filter(_o.visit_id == sa.bindparam("visit")),
    ).where(
        _o.guest_id == sa.bindparam("guest"),
        _o.programme_id.in_(_AND_MERGED),
        paid(_o),
    )
)
_BIRTHDAY = Prepared(sa.select(guests.c.birthday).where(guests.c.id == sa.bindparam("guest")))
_USED = Prepared(
    sa.select(sa.func.count(), sa.func.max(_u.at)).where(
        _u.rule_id == sa.bindparam("rule"), _u.guest_id == sa.bindparam("guest")
    )
)


def _rules(found: Sequence[Row]) -> tuple[list[Rule], dict[int, int | None]]:
    """And which of them have a budget, by id."""
    rules, budgets = [], {}
    for id_, kind, names, params, per_guest, budget, _ in found:
        rules.append(Rule(id_, kind, orjson.loads(names), orjson.loads(params), per_guest))
        budgets[id_] = budget
    return rules, budgets


def _meant(at: datetime) -> datetime:
    """Within what a calendar can handle in any time zone, whatever a till's clock says."""
    return min(max(at, days.begins(days.FIRST, "UTC")), days.begins(days.LAST, "UTC"))


def _past(
    tx: Tx,
    cafe: CafeRow,
    guest_id: int,
    at: datetime,
    zone: str,
    visit_id: int | None,
    rules: Sequence[Rule],
) -> Past:
    if not any(rule.kind in OF_VISITS for rule in rules):
        return Past()
    day = days.day_of(at, zone)
    row = tx.run(
        _PAST,
        guest=guest_id,
        programme=cafe.programme_id,
        begins=to_micros(days.begins(day, zone)),
        ends=to_micros(days.over(day, zone)) - 1,
        visit=visit_id,
    )
    visits, today, same_visit = cast(tuple[int, int, int], row)
    return Past(visits, today > 0, same_visit > 0)


def _birthday(tx: Tx, guest_id: int, rules: Sequence[Rule]) -> str | None:
    if not any(rule.kind == "birthday" for rule in rules):
        return None
    row: Any = tx.run(_BIRTHDAY, guest=guest_id)
    return None if row is None else row[0]


def _used(tx: Tx, guest_id: int, rules: Sequence[Rule]) -> dict[int, Used]:
    """Of the rules that don't give the same guest without end."""
    found = {}
    for rule in rules:
        if rule.per_guest is not None or rule.kind == "birthday":
            times, last_at = cast(Row, tx.run(_USED, rule=rule.id, guest=guest_id))
            if times:
                found[rule.id] = Used(times, from_micros(last_at))
    return found


# -- budgets ---------------------------------------------------------------------------------------

_LEFT = Prepared(
    sa.select(_r.budget_points - _r.spent_points)
    .where(_r.id == sa.bindparam("rule"))
    .with_for_update()
)
_SPEND = Prepared(
    sa.update(bonus_rules)
    .where(_r.id == sa.bindparam("rule"))
    .values(spent_points=_r.spent_points + sa.bindparam("more"))
)
_USE = Prepared(
    sa.insert(bonus_uses).values(
        rule_id=sa.bindparam("rule"),
        guest_id=sa.bindparam("guest"),
        order_row=sa.bindparam("order"),
        points=sa.bindparam("points"),
        at=sa.bindparam("at"),
    )
)
_UNUSE = Prepared(
    sa.delete(bonus_uses)
    .where(_u.order_row == sa.bindparam("order"))
    .returning(_u.rule_id, _u.points)
)


def _fits(tx: Tx, bonus: Bonus, budgets: dict[int, int | None]) -> bool:
    """Whether the rule's budget has as many points left. It is locked from here on, so that what
    fits is not given twice; one without a budget is not waited for."""
    if budgets[bonus.rule.id] is None:
        return True
    (left,) = cast(Row, tx.run(_LEFT, rule=bonus.rule.id))
    return left is None or left >= bonus.points
