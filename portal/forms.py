"""What a form sends, read without trust: whatever it is, it never breaks a page."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from core.domain.money import to_minor
from core.i18n import LANGUAGES
from core.services.errors import Rejected

LARGEST = 64 * 1024
LARGEST_WITH_FILE = 8 * 1024 * 1024
"""More than any file may have, so that one that is too large can be told from what is no form."""
MOST_FIELDS = 1000
"""A till's page has a field for each product."""
MULTIPART = "multipart/form-data"
LARGEST_ID = 2**63 - 1
_DIGITS = 9
_HUNDREDTHS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,2})?", re.ASCII)
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::[0-9]{2})?", re.ASCII)


class Form:
    """Its fields, in the order in which they were sent, and files by their fields. Rejected where
    one isn't what it should be."""

    def __init__(
        self, fields: Sequence[tuple[str, str]] = (), files: Mapping[str, bytes] | None = None
    ) -> None:
        self._fields = fields
        self._files = files or {}

    def field(self, name: str) -> str:
        """The field as it was written, but for space around it; "" where it is missing."""
        return self.exact(name).strip()

    def exact(self, name: str) -> str:
        return next((value for key, value in self._fields if key == name), "")

    def all(self, name: str) -> list[str]:
        return [value for key, value in self._fields if key == name]

    def by_row(self, name: str) -> dict[int, str]:
        """What the fields `name_<row>` say, by their rows; those left empty aside."""
        found = {}
        for key, value in self._fields:
            row = row_id(key.removeprefix(f"{name}_")) if key.startswith(f"{name}_") else None
            if row is not None and value.strip():
                found[row] = value.strip()
        return found

    def file(self, name: str) -> bytes | None:
        """What is in the file; None where none was chosen."""
        return self._files.get(name) or None

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

    def hundredths(self, name: str, code: str) -> int:
        """Of a number with two decimals at most, or of a percentage. Rejected with `code`."""
        text = self.field(name).replace(",", ".").strip("×%\u00a0 ")
        if not _HUNDREDTHS.fullmatch(text):
            raise Rejected(code, f"{name} is no number with two decimals")
        return int(Decimal(text) * 100)

    def minute(self, name: str) -> int:
        """The minute of the day of a time, as a browser's field sends it: `14:00`."""
        found = _TIME.fullmatch(self.field(name))
        if found is None or int(found[1]) > 23 or int(found[2]) > 59:
            raise Rejected("time", f"{name} is no time")
        return int(found[1]) * 60 + int(found[2])

    def day(self, name: str) -> date | None:
        """As a browser's field of a date sends it; None where it was left empty."""
        text = self.field(name)
        try:
            return date.fromisoformat(text) if text else None
        except ValueError:
            raise Rejected("day", f"{name} is no day") from None

    def names(self, name: str = "name") -> dict[str, str]:
        """A name by language, those left empty aside: the fields `name_en`, `name_sr` …"""
        given = {language: self.field(f"{name}_{language}") for language in LANGUAGES}
        return {language: text for language, text in given.items() if text}


async def read(request: Request, *, with_file: bool = False) -> Form:
    """The body of a POST; one that is too large or no form is an empty one. `with_file`: it may
    bring a file along, and be as large as that takes."""
    bringing = with_file and request.headers.get("content-type", "").startswith(MULTIPART)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > (LARGEST_WITH_FILE if bringing else LARGEST):
            return Form()
    return await _parts(request, bytes(body)) if bringing else _pairs(body)


def _pairs(body: bytearray) -> Form:
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


async def _parts(request: Request, body: bytes) -> Form:
    """https://www.rfc-editor.org/rfc/rfc7578"""

    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(
        request.headers, whole(), max_files=1, max_fields=MOST_FIELDS, max_part_size=LARGEST
    )
    try:
        sent = await parser.parse()
    except (MultiPartException, ValueError):  # a charset that is none is a ValueError
        return Form()
    fields, files = [], {}
    for name, value in sent.multi_items():
        if isinstance(value, UploadFile):
            files[name] = await value.read()
        else:
            fields.append((name, value.replace("\0", "")))
    await sent.close()
    return Form(fields, files)


def row_id(text: str) -> int | None:
    """What an address or a field says a row's id is; None where it can't be one."""
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    number = int(text)
    return number if number <= LARGEST_ID else None


def written(number: int, places: int) -> str:
    """So many decimals of a number as a field shows them: none where there are none to say."""
    amount = Decimal(number).scaleb(-places)
    whole = amount.to_integral_value()
    return f"{whole:f}" if whole == amount else f"{amount:f}"
