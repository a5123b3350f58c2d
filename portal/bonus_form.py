"""A bonus rule as its form has it, and what is said about it in the list and in the preview."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.domain.bonuses import MULTIPLIERS, ONCE, Kind
from core.domain.earning import Rates, Sale, award
from core.domain.money import exponent
from core.i18n import LANGUAGES, N_, Words
from core.phrases import name_in, signed, times
from core.services.bonus_rules import BonusRule, Draft
from core.services.forecast import Forecast
from core.services.schemes import Scheme
from portal.forms import Form, written

ABOUT: Mapping[Kind, str] = {
    "welcome": N_("Points with a guest's first paid order."),
    "birthday": N_("Points for an order on the birthday, or some days around it. Once a year."),
    "first_of_day": N_("Points for a guest's first order of a day."),
    "nth_visit": N_("Points with every fifth visit, or every tenth: as you like."),
    "spend_over": N_("Points for an order from some amount on."),
    "happy_hours": N_(
        "At certain hours an order gives more: twice as much, or half as much again."
    ),
    "product_multiplier": N_("Certain products give more than usual."),
}
_NAMES = tuple(f"name_{language}" for language in LANGUAGES)
_ONES = (
    *_NAMES, "kind", "points", "factor", "days", "every", "over", "from", "to", "skus", "per_guest",
    "budget", "first_day", "last_day",
)  # fmt: skip
_MANY = ("weekday", "sku")


def sent(form: Form) -> dict[str, Any]:
    """As it was written."""
    return {
        **{name: form.field(name) for name in _ONES},
        **{name: form.all(name) for name in _MANY},
    }


def as_form(fields: Mapping[str, Any]) -> Form:
    """The fields as a form would send them."""
    ones = [(name, fields[name]) for name in _ONES]
    return Form(ones + [(name, value) for name in _MANY for value in fields[name]])


def of(rule: BonusRule | None, kind: str, currency: str) -> dict[str, Any]:
    """As the rule is; one of this kind to begin with where there is none yet."""
    empty: dict[str, Any] = {**dict.fromkeys(_ONES, ""), **dict.fromkeys(_MANY, ())}
    if rule is None:
        whole_week = [str(day) for day in range(7)]
        return {**empty, "kind": kind, "days": "0", "weekday": whole_week}
    return {
        **empty,
        **{f"name_{language}": name for language, name in rule.names.items()},
        "kind": rule.kind,
        **_params_of(rule, currency),
        "per_guest": _number(rule.per_guest),
        "budget": _number(rule.budget),
        "first_day": rule.first_day.isoformat() if rule.first_day else "",
        "last_day": rule.last_day.isoformat() if rule.last_day else "",
    }


def draft(form: Form, currency: str) -> Draft:
    """Rejected where a field isn't what it should be."""
    kind = form.field("kind")
    return Draft(
        kind=kind,
        names=form.names(),
        params=_params(form, kind, currency),
        per_guest=form.whole("per_guest") if form.field("per_guest") else None,
        budget=form.whole("budget") if form.field("budget") else None,
        first_day=form.day("first_day"),
        last_day=form.day("last_day"),
    )


def _params(form: Form, kind: str, currency: str) -> dict[str, Any]:
    found: dict[str, Any]
    if kind in MULTIPLIERS:
        found = {"factor": form.hundredths("factor", "factor")}
    else:
        found = {"points": form.whole("points")}
    match kind:
        case "birthday":
            found["days"] = form.whole("days") if form.field("days") else 0
        case "nth_visit":
            found["every"] = form.whole("every")
        case "spend_over":
            found["over_minor"] = form.money("over", currency)
        case "happy_hours":
            found["weekdays"] = [int(day) for day in form.all("weekday") if day in _WEEKDAYS]
            found |= {"from": form.minute("from"), "to": form.minute("to")}
        case "product_multiplier":
            typed = (sku.strip() for sku in form.field("skus").split(","))
            found["skus"] = [*form.all("sku"), *filter(None, typed)]
    return found


_WEEKDAYS = frozenset("0123456")


def _params_of(rule: BonusRule, currency: str) -> dict[str, Any]:
    params = rule.params
    found: dict[str, Any] = {
        name: str(params[name]) for name in ("points", "days", "every") if name in params
    }
    if "factor" in params:
        found["factor"] = written(params["factor"], 2)
    if "over_minor" in params:
        found["over"] = written(params["over_minor"], exponent(currency))
    if "weekdays" in params:
        found["weekday"] = [str(day) for day in params["weekdays"]]
        found |= {end: _clock(params[end]) for end in ("from", "to")}
    if "skus" in params:
        found["sku"] = [sku for sku in params["skus"] if sku in rule.products]
        found["skus"] = ", ".join(sku for sku in params["skus"] if sku not in rule.products)
    return found


# -- in words --------------------------------------------------------------------------------------


def gives(rule: BonusRule, unit: str, w: Words) -> str:
    if rule.kind in MULTIPLIERS:
        return times(rule.params["factor"], w)
    return signed(rule.params["points"], unit, w)


def in_short(rule: BonusRule, scheme: Scheme, w: Words) -> str:
    """When it gives something, what bounds it and what it has given, in a line."""
    parts = [_when(rule, scheme.currency, w)]
    if rule.per_guest is not None:
        parts.append(
            w.count("{count} time for each guest", "{count} times for each guest", rule.per_guest)
        )
    if rule.coming and rule.first_day is not None:
        parts.append(w.text("from {day}", day=w.date(rule.first_day)))
    if rule.over:
        parts.append(w.text("over"))
    elif rule.last_day is not None:
        parts.append(w.text("until {day}", day=w.date(rule.last_day)))
    parts.append(_spent(rule, scheme.unit, w))
    if not rule.active:
        parts.append(w.text("switched off"))
    return " · ".join(filter(None, parts))


def _when(rule: BonusRule, currency: str, w: Words) -> str:
    params = rule.params
    match rule.kind:
        case "welcome":
            return w.text("with the first paid order")
        case "birthday" if params["days"]:
            return w.count(
                "up to {count} day before or after the birthday",
                "up to {count} days before or after the birthday",
                params["days"],
            )
        case "birthday":
            return w.text("on the birthday")
        case "first_of_day":
            return w.text("with the first order of a day")
        case "nth_visit":
            return w.count("every {count} visit", "every {count} visits", params["every"])
        case "spend_over":
            return w.text("from {amount} on", amount=w.money(params["over_minor"], currency))
        case "happy_hours":
            days = "" if len(params["weekdays"]) == 7 else _weekdays(params["weekdays"], w) + " "
            return f"{days}{_clock(params['from'])}–{_clock(params['to'])}"
        case "product_multiplier":
            known = rule.products
            return ", ".join(
                name_in(known[sku], w) if sku in known else sku for sku in params["skus"]
            )


def _spent(rule: BonusRule, unit: str, w: Words) -> str:
    spent = w.points(rule.spent, unit)
    if rule.budget is None:
        return w.text("{points} given so far", points=spent) if rule.spent else ""
    return w.text("{points} of {budget} given", points=spent, budget=w.number(rule.budget))


def _weekdays(days: list[int], w: Words) -> str:
    return ", ".join(w.weekday(day) for day in days)


def meaning(
    wanted: Draft, scheme: Scheme, typical: int, month: Forecast, w: Words
) -> dict[str, str]:
    """`order`: what a typical one would be given; `month`: what the last 30 days' would have."""
    total = max(typical, wanted.params.get("over_minor", 0))
    sale = Sale(Rates(scheme.earn_minor, scheme.earn_points), total, total)
    plain = award(sale, currency=scheme.currency, carry_minor=0).points
    factor = wanted.params.get("factor", ONCE)
    more = wanted.params.get("points", plain * (factor - ONCE) // ONCE)
    order = w.text(
        "Where it counts, an order of {spent} gives {points} instead of {plain}",
        spent=w.money(total, scheme.currency),
        points=w.points(plain + more, scheme.unit),
        plain=w.number(plain),
    )
    if not month.orders:
        return {"order": order, "month": w.text("In the last 30 days it would have given nothing")}
    given = w.count(
        "In the last 30 days it would have given about {points} for {count} order",
        "In the last 30 days it would have given about {points} for {count} orders",
        month.orders,
        points=w.points(month.points, scheme.unit),
    )
    return {"order": order, "month": given}


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _number(number: int | None) -> str:
    return "" if number is None else str(number)
