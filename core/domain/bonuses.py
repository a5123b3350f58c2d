"""Bonuses: which of a programme's rules an order fulfils, and what they give on top.

Fixed bonuses add up. Of those that multiply what an order earns only one is given, the best for the
guest. All of it is decided by the moment at which the order was paid, by the clock on the cafe's
wall: an hour that the clocks skip or repeat is what that clock shows.
"""

from __future__ import annotations

from calendar import isleap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal, NamedTuple, get_args

from core.domain.earning import Award, Because, Sale, earned_by

Kind = Literal[
    "welcome",
    "birthday",
    "first_of_day",
    "nth_visit",
    "spend_over",
    "happy_hours",
    "product_multiplier",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
MULTIPLIERS: tuple[Kind, ...] = ("happy_hours", "product_multiplier")

ONCE = 100
"""A factor is in hundredths: 150 gives half as much again."""
MINUTES = 24 * 60
BIRTHDAYS_APART = timedelta(days=300)
"""Two birthdays are at least so far apart, however early and late they are kept, and whatever a
guest says theirs is."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`names` by language. `per_guest`: so many times at most; None: no bound. `params` by kind:

    welcome, first_of_day  {"points"}
    birthday               {"points", "days"}           so many days before and after it, too
    nth_visit              {"points", "every"}
    spend_over             {"points", "over_minor"}     from that much on
    happy_hours            {"factor", "weekdays", "from", "to"}  0 is Monday; minutes of the day
    product_multiplier     {"factor", "skus"}
    """

    id: int
    kind: Kind
    names: Mapping[str, str]
    params: Mapping[str, Any]
    per_guest: int | None = None


class Past(NamedTuple):
    """The guest's other orders in the programme that were paid and not refunded whole: how many
    visits they were, whether one was on this order's day, and whether one was in its visit."""

    visits: int = 0
    today: bool = False
    same_visit: bool = False


class Used(NamedTuple):
    """How often a rule has given the guest something, and when it did last."""

    times: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a bonus depends on. `at` is in the cafe's time zone; `used` by a rule's id; `birthday`
    is YYYY-MM-DD, or --MM-DD."""

    sale: Sale
    earned: int
    at: datetime
    past: Past
    birthday: str | None = None
    used: Mapping[int, Used] | None = None


class Bonus(NamedTuple):
    rule: Rule
    points: int


def choices(rules: Iterable[Rule], order: Occasion) -> list[list[Bonus]]:
    """What the order may be given: of each choice one, the first that there are points for. A
    choice between multipliers has the best for the guest first."""
    found = [Bonus(rule, _points(rule, order)) for rule in rules if _left(rule, order)]
    given = [bonus for bonus in found if bonus.points > 0]
    fixed = [[bonus] for bonus in given if bonus.rule.kind not in MULTIPLIERS]
    multiplied = [bonus for bonus in given if bonus.rule.kind in MULTIPLIERS]
    multiplied.sort(key=lambda bonus: (-bonus.points, bonus.rule.id))
    return [*fixed, multiplied] if multiplied else fixed


def best(rules: Iterable[Rule], order: Occasion) -> list[Bonus]:
    """What the order is given where there are points for all of it."""
    return [choice[0] for choice in choices(rules, order)]


def on_top(award: Award, bonuses: Sequence[Bonus]) -> Award:
    """The award with them, and why."""
    return Award(
        award.points + sum(bonus.points for bonus in bonuses),
        award.carry_minor,
        (*award.because, *map(_because, bonuses)),
    )


# -- one rule --------------------------------------------------------------------------------------


def _left(rule: Rule, order: Occasion) -> bool:
    """Whether the guest may have it once more."""
    used = (order.used or {}).get(rule.id)
    if used is None:
        return True
    if rule.kind == "birthday" and order.at - used.last_at < BIRTHDAYS_APART:
        return False
    return rule.per_guest is None or used.times < rule.per_guest


def _points(rule: Rule, order: Occasion) -> int:
    """0 where the order doesn't fulfil it. What was refunded before gets none, as if it were
    refunded after."""
    sale, params = order.sale, rule.params
    if sale.total_minor <= 0 or sale.left_minor <= 0 or not _fulfils(rule, order):
        return 0
    if rule.kind not in MULTIPLIERS:
        return int(params["points"]) * sale.left_minor // sale.total_minor
    base = order.earned
    if rule.kind == "product_multiplier":
        base = min(base, earned_by(frozenset(params["skus"]), sale))
    return max(base, 0) * (int(params["factor"]) - ONCE) // ONCE


def _fulfils(rule: Rule, order: Occasion) -> bool:
    params, past = rule.params, order.past
    match rule.kind:
        case "welcome":
            return past.visits == 0
        case "first_of_day":
            return not past.today
        case "nth_visit":
            return not past.same_visit and (past.visits + 1) % int(params["every"]) == 0
        case "birthday":
            return _near_birthday(order.birthday, order.at.date(), params["days"])
        case "spend_over":
            return order.sale.total_minor >= int(params["over_minor"])
        case "happy_hours":
            return _in_hours(params, order.at)
        case "product_multiplier":
            return True


def _in_hours(params: Mapping[str, Any], at: datetime) -> bool:
    """Hours that pass midnight belong to the day on which they began; from one time to the same
    is all day."""
    start, end, weekdays = params["from"], params["to"], params["weekdays"]
    minute, today = at.hour * 60 + at.minute, at.weekday()
    if start < end:
        return today in weekdays and start <= minute < end
    yesterday = (today - 1) % 7
    return (today in weekdays and minute >= start) or (yesterday in weekdays and minute < end)


def _near_birthday(birthday: str | None, today: date, days: int) -> bool:
    """Around New Year it may be last year's or next year's that is near."""
    if birthday is None:
        return False
    month, day = int(birthday[-5:-3]), int(birthday[-2:])
    kept = (_kept(year, month, day) for year in (today.year - 1, today.year, today.year + 1))
    return any(abs(today - one) <= timedelta(days=days) for one in kept)


def _kept(year: int, month: int, day: int) -> date:
    """29 February is kept a day early in other years."""
    return date(year, month, 28 if (month, day) == (2, 29) and not isleap(year) else day)


def _because(bonus: Bonus) -> Because:
    rule = bonus.rule
    reason: Because = {
        "rule": "bonus",
        "points": bonus.points,
        "kind": rule.kind,
        "names": dict(rule.names),
    }
    if rule.kind in MULTIPLIERS:
        reason["factor"] = rule.params["factor"]
    return reason
