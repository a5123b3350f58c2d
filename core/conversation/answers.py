"""What is typed as an answer to a question, checked: the value as it is kept, or None."""

from __future__ import annotations

import re
from datetime import date, datetime

from core.domain.names import clean_name
from core.domain.phones import typed_phone
from core.i18n import Words

_EMAIL = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@"
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]",
    re.IGNORECASE | re.ASCII,
)
_LONGEST_EMAIL = 254

_ISO = re.compile(r"(\d{4})[-./](\d{1,2})[-./](\d{1,2})", re.ASCII)
_USUAL = re.compile(r"(\d{1,2})\s*[-./ ]\s*(\d{1,2})(?:\s*[-./ ]\s*(\d{4}))?\.?", re.ASCII)
_OLDEST = 120
"""Years; an older guest has most likely mistyped."""
_LEAP_YEAR = 2000


def read(asked: str | None, text: str, region: str, now: datetime) -> str | None:
    """`text` as an answer to what is open; None where it is none. `region` as in `View`."""
    match asked:
        case "name":
            return clean_name(text)
        case "phone":
            return typed_phone(text, region)
        case "email":
            return email(text)
        case "birthday":
            return birthday(text, now)
    return None


def email(text: str) -> str | None:
    """A plausible address (the shape that HTML's own e-mail field takes, with a dotted domain)."""
    address = text.strip()
    if len(address) > _LONGEST_EMAIL or ".." in address:
        return None
    return address if _EMAIL.fullmatch(address) else None


def birthday(text: str, now: datetime) -> str | None:
    """`24.12.1990`, `24/12/1990`, `1990-12-24` as YYYY-MM-DD; `24.12.` as --MM-DD.

    Days come before months, as in Serbia and Russia. None for a day that does not exist, is still
    to come, or is more than 120 years ago.
    """
    said = text.strip()[:32]
    if match := _ISO.fullmatch(said):
        year, month, day = (int(part) for part in match.groups())
    elif match := _USUAL.fullmatch(said):
        day, month = int(match[1]), int(match[2])
        if match[3] is None:
            return f"--{month:02}-{day:02}" if _exists(_LEAP_YEAR, month, day) else None
        year = int(match[3])
    else:
        return None
    plausible = now.year - _OLDEST <= year and _exists(year, month, day)
    return f"{year:04}-{month:02}-{day:02}" if plausible and _past(year, month, day, now) else None


def birthday_text(kept: str, words: Words) -> str:
    """A birthday as kept, for people: `24 December 1990`, or `24 December` without its year."""
    if kept.startswith("--"):
        return words.day(month=int(kept[2:4]), day=int(kept[5:7]))
    return words.date(date.fromisoformat(kept))


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _past(year: int, month: int, day: int, now: datetime) -> bool:
    return date(year, month, day) <= now.date()
