"""What the entries of a programme's lists have in common: products, rewards, bonus rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from core.domain import days, expiry
from core.domain import names as naming
from core.domain.roles import Member
from core.services import eventlog
from core.services.errors import Rejected
from core.services.permission import places
from core.storage.tables import cafes
from core.storage.tx import Tx


def log(tx: Tx, kind: str, by: Member, programme_id: int, now: datetime, **data: Any) -> None:
    """One entry for each cafe that it counts in, so that each one's manager sees it."""
    for place in places(tx, by):
        if place.programme_id == programme_id:
            eventlog.log(tx, kind, now, cafe_id=place.id, staff_id=by.id, **data)


def names(given: Mapping[str, str]) -> dict[str, str]:
    """By language, cleaned. Rejected where one can't be a name."""
    cleaned = {language: naming.clean_name(name) for language, name in given.items()}
    found = {language: name for language, name in cleaned.items() if name is not None}
    if len(found) < len(cleaned):
        raise Rejected("name", f"a name is 1 to {naming.LONGEST} characters")
    return found


def some_names(given: Mapping[str, str]) -> dict[str, str]:
    """One at least."""
    found = names(given)
    if not found:
        raise Rejected("name", f"a name is 1 to {naming.LONGEST} characters")
    return found


# -- from a day to a day ---------------------------------------------------------------------------


class Window(NamedTuple):
    """Both days are included; None: no bound. `coming`: not yet; `over`: no longer."""

    first_day: date | None
    last_day: date | None
    coming: bool
    over: bool


def zones(tx: Tx) -> dict[int, str]:
    """By whose clock a programme's days go: its first cafe's."""
    rows = tx.execute(sa.select(cafes.c.programme_id, cafes.c.timezone).order_by(cafes.c.id.desc()))
    return {row.programme_id: row.timezone for row in rows}


def window(row: sa.Row[Any], zone: str, now: datetime) -> Window:
    """As it stands in a row's `starts_at` and `ends_at`."""
    return Window(
        first_day=row.starts_at and days.day_of(row.starts_at, zone),
        last_day=row.ends_at and expiry.last_day(row.ends_at, zone),
        coming=row.starts_at is not None and row.starts_at > now,
        over=row.ends_at is not None and row.ends_at <= now,
    )


def bounds(
    first: date | None, last: date | None, last_before: date | None, zone: str, now: datetime
) -> dict[str, Any]:
    """The columns' values. Rejected for days that can't be meant: a last day that is over already
    can only be the one that it had before."""
    for day in (first, last):
        if day is not None and not days.FIRST <= day <= days.LAST:
            raise Rejected("day", "no such day can be meant")
    if first is not None and last is not None and last < first:
        raise Rejected("window", "it would be over before it begins")
    ends_at = None if last is None else days.over(last, zone)
    if ends_at is not None and ends_at <= now and last != last_before:
        raise Rejected("window_past", "that day is over")
    return {"starts_at": None if first is None else days.begins(first, zone), "ends_at": ends_at}
