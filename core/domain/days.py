"""Days as a cafe has them: a date there, and the moments at which it begins and is over."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

FIRST, LAST = date(2000, 1, 1), date(2100, 12, 31)
"""Between these a day can be meant."""


def begins(day: date, zone: str) -> datetime:
    """Its first moment, in UTC."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def over(day: date, zone: str) -> datetime:
    """The first moment, in UTC, that is of the day no more."""
    return begins(day + timedelta(days=1), zone)


def day_of(at: datetime, zone: str) -> date:
    return at.astimezone(ZoneInfo(zone)).date()
