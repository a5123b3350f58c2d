"""Visits: a till belongs to one guest for a while, and an order to the visit it was paid in.

A visit is the interval [opened_at, ends_at). Those of a till never overlap: each ends where the
next begins, or after 15 minutes.
"""

from __future__ import annotations

from datetime import datetime, timedelta

VISIT = timedelta(minutes=15)


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
