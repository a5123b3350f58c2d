"""Phone numbers as E.164, from what a guest types, a messenger tells or a cashier notes."""

from __future__ import annotations

import phonenumbers

_LONGEST = 40
"""Characters that a number may be typed with; E.164 itself has at most 15 digits."""


def typed_phone(text: str, region: str) -> str | None:
    """What was typed as E.164 (`+381601234567`), or None where it is no number that exists.

    `region` (ISO 3166, `RS`) is whose numbers may be written without their country.
    """
    if len(text) > _LONGEST:
        return None
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def told_phone(text: str) -> str | None:
    """A number that a messenger or a till tells, always with its country, with or without `+`.

    They prove numbers of ranges that our tables may not know yet, so only the shape is checked.
    """
    digits = "".join(c for c in text[:_LONGEST] if c.isascii() and c.isdigit())
    digits = digits.removeprefix("00")
    return f"+{digits}" if 7 <= len(digits) <= 15 and not digits.startswith("0") else None


def noted_phone(text: str, region: str = "RS") -> str | None:
    """A number as a cashier noted it on a till's reward card: `060/123-45-67`, `381601234567`."""
    return typed_phone(text, region) or told_phone(text)
