"""A redemption: rewards that were picked, what shows them at a till, and where it can go.

Its QR says `MALVAR1.` and 256 random bits in base64url; beside it stand eight characters that can
be typed instead. Either is good for ten minutes, and holds the points for so long.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Literal, NamedTuple

from core.domain import linkcodes

Status = Literal["awaiting_guest", "held", "confirmed", "returned", "cancelled", "expired"]

Kind = Literal["product", "percentage", "amount"]
"""What a reward gives."""

GOOD_FOR = timedelta(minutes=10)
TOKEN_BYTES = 32

OPEN: frozenset[Status] = frozenset({"awaiting_guest", "held"})
"""Until it is confirmed or over: its points are held."""

NEXT: dict[Status, frozenset[Status]] = {
    "awaiting_guest": frozenset({"held", "cancelled", "expired"}),
    "held": frozenset({"confirmed", "cancelled", "expired"}),
    "confirmed": frozenset({"returned"}),
    "returned": frozenset(),
    "cancelled": frozenset(),
    "expired": frozenset(),
}
"""Where each status can go."""

_ID = re.compile(r"[A-Za-z0-9_-]{16}")
_QR = re.compile(r"MALVAR1\.([A-Za-z0-9_-]{43})")


def qr_text(token: str) -> str:
    return f"MALVAR1.{token}"


def scanned(text: str) -> str | None:
    """The token that a scanner read; None for what is no redemption. Scanners add white space."""
    found = _QR.fullmatch(text.strip())
    return found[1] if found else None


def is_id(text: str) -> bool:
    """Whether it can be a redemption's public id, from wherever it comes."""
    return _ID.fullmatch(text) is not None


def new_code(choose: Callable[[str], str]) -> str:
    """What is typed where nothing can be scanned: told apart when read aloud, never six digits."""
    return linkcodes.new(choose)


def typed(text: str) -> str | None:
    """The code that was typed, in whichever case, with a space or a dash or none."""
    return linkcodes.read(text)


def shown(code: str) -> str:
    """`K7QM4XPD` as it is shown: `K7QM-4XPD`."""
    return linkcodes.shown(code)


class Off(NamedTuple):
    """What comes off an order: `minor` units, or `hundredths` of a percent; the other one is 0."""

    minor: int = 0
    hundredths: int = 0


def one_discount(discounts: Sequence[tuple[Kind, int]]) -> Off | None:
    """What takes off as much as all of these (amounts in minor units, percentages in hundredths),
    at a till that takes one coupon for an order: amounts together, or a single percentage."""
    if [kind for kind, _ in discounts] == ["percentage"]:
        return Off(hundredths=discounts[0][1])
    if all(kind == "amount" for kind, _ in discounts):
        return Off(minor=sum(minor for _, minor in discounts))
    return None
