"""Visits: a till belongs to one guest for a while, and an order to the visit it was paid in.

The visits of a till never overlap: each ends where the next begins, or after 15 minutes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

VISIT = timedelta(minutes=15)


class Interval(Protocol):
    """[opened_at, ends_at)"""

    @property
    def opened_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime: ...


V = TypeVar("V", bound=Interval)


def open_at(visits: Iterable[V], at: datetime) -> V | None:
    """The one of a till's visits that `at` lies in."""
    return next((visit for visit in visits if visit.opened_at <= at < visit.ends_at), None)


def holds(opened_at: datetime, paid_at: datetime) -> bool:
    """Whether an order that names a visit belongs to it: paid within 15 minutes of identify,
    whoever came since. A little before counts too: some pay first and show their card then."""
    return abs(paid_at - opened_at) <= VISIT


def moment_of(paid_at: datetime | None, arrived_at: datetime, *, live: bool) -> datetime | None:
    """The moment that an order's visit is looked for. None: it was found late and its till doesn't
    say when it was paid, so no visit may claim it."""
    if paid_at is not None:
        return paid_at
    return arrived_at if live else None
