"""When points expire: at the end of a day, by the cafe's clock, so many months after they came.

By the cafe's and not by ours: what is good "until 22 November" is good all of that day where the
guest is.
"""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

WARNED_BEFORE = (timedelta(days=30), timedelta(days=7))
"""A month and a week: the guest is told so long before."""


def expires_at(given_at: datetime, months: int, zone: str) -> datetime:
    """The first moment, in UTC, at which points that were given at `given_at` are gone."""
    place = ZoneInfo(zone)
    gone = _months_later(given_at.astimezone(place).date(), months) + timedelta(days=1)
    return datetime.combine(gone, time(), place).astimezone(UTC)


def last_day(expires: datetime, zone: str) -> date:
    """The last day, where the cafe is, on which they are good."""
    return (expires.astimezone(ZoneInfo(zone)) - timedelta(microseconds=1)).date()


def warnings_over(expires: datetime, now: datetime) -> int:
    """How many of the warnings are over already when points come into being: a programme of one
    month doesn't warn of what it has just given."""
    return sum(expires - now <= before + timedelta(days=1) for before in WARNED_BEFORE)


def _months_later(day: date, months: int) -> date:
    """The same day of a later month; its last where it has fewer."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return day.replace(year, month, min(day.day, calendar.monthrange(year, month)[1]))
