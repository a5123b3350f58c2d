"""What a form sends, read without trust: whatever it is, it never breaks a page."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from urllib.parse import parse_qsl

from starlette.requests import Request

from core.domain.money import to_minor
from core.i18n import LANGUAGES
from core.services.errors import Rejected

LARGEST = 64 * 1024
MOST_FIELDS = 200
LARGEST_ID = 2**63 - 1
_DIGITS = 9


class Form:
    """Its fields, in the order in which they were sent. Rejected where one isn't what it should
    be."""

    def __init__(self, fields: Sequence[tuple[str, str]] = ()) -> None:
        self._fields = fields

    def field(self, name: str) -> str:
        """The field as it was written, but for space around it; "" where it is missing."""
        return self.exact(name).strip()

    def exact(self, name: str) -> str:
        return next((value for key, value in self._fields if key == name), "")

    def all(self, name: str) -> list[str]:
        return [value for key, value in self._fields if key == name]

    def whole(self, name: str) -> int:
        """A whole number, not below zero."""
        text = self.field(name)
        if not text.isascii() or not text.isdigit() or len(text) > _DIGITS:
            raise Rejected("number", f"{name} is no whole number")
        return int(text)

    def money(self, name: str, currency: str) -> int:
        """Minor units. A comma is a decimal point to most of those who write here."""
        try:
            return to_minor(self.field(name).replace(",", "."), currency)
        except ValueError as error:
            raise Rejected("amount", str(error)) from None

    def names(self, name: str = "name") -> dict[str, str]:
        """A name by language, those left empty aside: the fields `name_en`, `name_sr` …"""
        given = {language: self.field(f"{name}_{language}") for language in LANGUAGES}
        return {language: text for language, text in given.items() if text}


async def read(request: Request) -> Form:
    """The body of a POST; one that is too large or no form is an empty one."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            return Form()
    try:
        fields = parse_qsl(
            body.decode("ascii", "replace"),
            keep_blank_values=True,
            errors="replace",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        return Form()
    return Form([(name, value.replace("\0", "")) for name, value in fields])


def row_id(text: str) -> int | None:
    """What an address or a field says a row's id is; None where it can't be one."""
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    number = int(text)
    return number if number <= LARGEST_ID else None


def written(minor: int, currency: str, places: int) -> str:
    """An amount as a field shows it: without decimals where there are none to say."""
    amount = Decimal(minor).scaleb(-places)
    whole = amount.to_integral_value()
    return f"{whole:f}" if whole == amount else f"{amount:f}"
