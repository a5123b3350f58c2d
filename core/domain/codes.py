"""The card's codes: six digits that turn over every 30 s, and the text of its QR.

A code is TOTP (RFC 6238) with HMAC-SHA256, 6 digits and a step of 30 s: HOTP (RFC 4226) of the
step's number. Where the six digits of a step are taken, by another open card or by having been
used, the card shows the next of the same secret and step: code `number` of the series is HOTP of
`step + number * 2**40`. A step fits into 40 bits for 30,000 years, so no two counters are alike.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from typing import NamedTuple

import pyotp

STEP_SECONDS = 30
DIGITS = 6

_SERIES = 2**40
_QR = re.compile(r"MALVA1\.([A-Za-z0-9_-]{1,64})\.([0-9]{6})")
_TYPED = re.compile(r"[0-9]{6}")
_BETWEEN_DIGITS = re.compile(r"[\s\-\u2010-\u2015]+")


class QrText(NamedTuple):
    """What a card's QR says: whose it is, and the code that proves it."""

    public_id: str
    code: str


def step_at(moment: datetime) -> int:
    """The number of the 30-second step that `moment` lies in, counted from 1970."""
    return int(moment.timestamp()) // STEP_SECONDS


def step_start(step: int) -> datetime:
    return datetime.fromtimestamp(step * STEP_SECONDS, UTC)


def code(secret: bytes, step: int, number: int = 0) -> str:
    """The six digits of `step`; `number` > 0 gives the next ones of its series."""
    generator = pyotp.HOTP(base64.b32encode(secret).decode(), digits=DIGITS, digest=hashlib.sha256)
    return generator.at(step + number * _SERIES)


def shown(digits: str) -> str:
    """`123456` as a card shows it: `123 456`."""
    return f"{digits[:3]} {digits[3:]}"


def typed(text: str) -> str | None:
    """The six digits that were typed, spaces and dashes aside; None where there aren't six."""
    digits = _BETWEEN_DIGITS.sub("", text)
    return digits if _TYPED.fullmatch(digits) else None


def qr_text(public_id: str, digits: str) -> str:
    return f"MALVA1.{public_id}.{digits}"


def scanned(text: str) -> QrText | None:
    """What a scanner read; None for what is no card. Scanners add white space at the ends."""
    found = _QR.fullmatch(text.strip())
    return QrText(*found.groups()) if found else None
