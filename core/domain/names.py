"""What a person is called: kept as they write it, without what would break a line or a page."""

from __future__ import annotations

import unicodedata

LONGEST = 64
"""Characters of a name."""

_FAR_TOO_LONG = 1000
_SPACES = {"Zs", "Zl", "Zp"}
_UNSEEN = {"Cc", "Cf", "Cs", "Cn", "Mn", "Me"}
_DIRECTION = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
"""Bidirectional embeddings, overrides and isolates (UAX #9): they would turn round what stands
beside the name. Right-to-left letters need none of them."""


def clean_name(text: str) -> str | None:
    """The name as it is kept, 1 to 64 characters; None where there is nothing to see, or too much.

    NFC, no control characters, one space between words; emoji, markup and any script stay.
    """
    return clean_line(text, LONGEST)


def clean_line(text: str, longest: int) -> str | None:
    """The same for another length than a name's: a sentence about something."""
    if len(text) > _FAR_TOO_LONG:
        return None
    line = _plain(text)
    return line if len(line) <= longest and _can_be_seen(line) else None


def shorten_name(text: str | None) -> str | None:
    """The same for a name that a messenger tells: one that is too long is cut, not refused."""
    name = _plain((text or "")[:_FAR_TOO_LONG])[:LONGEST].rstrip()
    return name if _can_be_seen(name) else None


def _plain(text: str) -> str:
    kept = "".join(_kept(character) for character in unicodedata.normalize("NFC", text))
    return " ".join(kept.split())


def _can_be_seen(name: str) -> bool:
    return any(unicodedata.category(character) not in _UNSEEN for character in name)


def _kept(character: str) -> str:
    category = unicodedata.category(character)
    if category in _SPACES or character in "\t\n\r\v\f":
        return " "
    if category in ("Cc", "Cs") or character in _DIRECTION:
        return ""
    return character
