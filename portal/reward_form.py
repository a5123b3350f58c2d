"""A reward as its form has it, and what is said about it in the list and in the preview."""

from __future__ import annotations

from datetime import date

from core.domain.earning import Rates, visits_until
from core.domain.money import exponent
from core.i18n import LANGUAGES, Words
from core.phrases import discount, percent
from core.services.catalogue import Draft, Keep, Reward
from core.services.photos import Photo
from core.services.schemes import Scheme
from portal.forms import Form, written

TEXTS = tuple(f"{what}_{language}" for what in ("name", "text") for language in LANGUAGES)
FIELDS = (
    *TEXTS, "kind", "percent", "amount", "cost", "per_guest", "stock", "stock_was", "first_day",
    "last_day",
)  # fmt: skip


def sent(form: Form) -> dict[str, str]:
    """As it was written."""
    return {name: form.field(name) for name in FIELDS}


def of(reward: Reward | None, currency: str) -> dict[str, str]:
    """As the reward is; empty where there is none yet."""
    fields = {**dict.fromkeys(FIELDS, ""), "kind": "product"}
    if reward is None:
        return fields
    stock = _number(reward.stock)
    return {
        **fields,
        **{f"name_{language}": name for language, name in reward.names.items()},
        **{f"text_{language}": text for language, text in reward.texts.items()},
        "kind": reward.kind,
        **_value(reward, currency),
        "cost": str(reward.cost),
        "per_guest": _number(reward.per_guest),
        "stock": stock,
        "stock_was": stock,
        "first_day": _day(reward.first_day),
        "last_day": _day(reward.last_day),
    }


def draft(form: Form, currency: str, photo: Photo | Keep | None) -> Draft:
    """Rejected where a field isn't what it should be."""
    value = None
    if form.field("kind") == "percentage":
        value = form.hundredths("percent", "percent")
    elif form.field("kind") == "amount":
        value = form.money("amount", currency)
    return Draft(
        names=form.names(),
        texts=form.names("text"),
        kind=form.field("kind"),
        value=value,
        cost=form.whole("cost"),
        per_guest=_whole(form, "per_guest"),
        stock="keep" if form.field("stock") == form.field("stock_was") else _whole(form, "stock"),
        first_day=form.day("first_day"),
        last_day=form.day("last_day"),
        photo=photo,
    )


# -- in words --------------------------------------------------------------------------------------


def gives(reward: Reward, currency: str, w: Words) -> str:
    return discount(reward.kind, reward.value, currency, w) or w.text("A free product")


def in_short(reward: Reward, scheme: Scheme, w: Words) -> str:
    """What it gives and what bounds it, in a line."""
    parts = [gives(reward, scheme.currency, w)]
    if reward.per_guest is not None:
        parts.append(
            w.count("{count} time for each guest", "{count} times for each guest", reward.per_guest)
        )
    if reward.stock is not None:
        parts.append(w.count("{count} left", "{count} left", reward.stock))
    if reward.coming and reward.first_day is not None:
        parts.append(w.text("from {day}", day=w.date(reward.first_day)))
    if reward.over:
        parts.append(w.text("over"))
    elif reward.last_day is not None:
        parts.append(w.text("until {day}", day=w.date(reward.last_day)))
    if not reward.active:
        parts.append(w.text("switched off"))
    return " · ".join(parts)


def meaning(within_reach: int, scheme: Scheme, cost: int, typical: int, w: Words) -> dict[str, str]:
    """`today`: who could have it; `after`: how long it takes, "" where only products earn."""
    today = w.count(
        "{count} guest could have it today", "{count} guests could have it today", within_reach
    )
    visits = visits_until(Rates(scheme.earn_minor, scheme.earn_points), cost, typical)
    if visits is None:
        return {"today": today, "after": ""}
    after = w.count(
        "A guest who spends {spent} each time has it after {count} visit",
        "A guest who spends {spent} each time has it after {count} visits",
        visits,
        spent=w.money(typical, scheme.currency),
    )
    return {"today": today, "after": after}


def _whole(form: Form, name: str) -> int | None:
    return form.whole(name) if form.field(name) else None


def _number(number: int | None) -> str:
    return "" if number is None else str(number)


def _day(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _value(reward: Reward, currency: str) -> dict[str, str]:
    if reward.value is None:
        return {}
    if reward.kind == "percentage":
        return {"percent": f"{percent(reward.value):f}"}
    return {"amount": written(reward.value, exponent(currency))}
