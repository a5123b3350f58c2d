"""The words of a guest's language: gettext catalogs, plural forms, numbers, money and dates.

A message's id is its English sentence with named placeholders: `w.text("Hello, {name}!", name=…)`.
Catalogs are the .po files under `locales/`, compiled in memory when a language is first wanted;
`python -m locales.update` brings them up to date with the source. Templates are rendered with
`_=w.text, ngettext=w.count`; a text that is kept as data is marked with `N_`.

Only the template is ever formatted, so braces in a value stay as they are. A translation whose
placeholders differ from its English is left out (English shows); `faults` names it.
"""

from __future__ import annotations

import gettext
from collections.abc import Iterator
from datetime import date, datetime, tzinfo
from decimal import Decimal
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path
from string import Formatter
from typing import Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, get_day_names
from babel.messages import Catalog
from babel.messages.catalog import Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal, get_currency_symbol

from core.domain.money import exponent

LANGUAGES = ("en", "sr", "ru")
CATALOGS = Path(__file__).parent.parent / "locales"

Unit = Literal["points", "stamps"]

_LOCALES = {"en": "en", "sr": "sr_Latn", "ru": "ru"}
_NEAREST = {
    **dict.fromkeys(("sr", "sh", "hr", "bs", "me", "cnr"), "sr"),
    **dict.fromkeys(("ru", "uk", "be", "kk"), "ru"),
}
# As a message between people has them: no weekday, no seconds, no month that Serbian would decline.
_DATES = {"en": "d MMMM y", "sr": "d. M. y.", "ru": "d MMMM y"}
_DAYS = {"en": "d MMMM", "sr": "d. M.", "ru": "d MMMM"}
_MOMENTS = {"en": "d MMM y, HH:mm", "sr": "d. M. y. 'u' HH:mm", "ru": "d MMM y, HH:mm"}


def N_(message: str) -> str:  # noqa: N802 — gettext's own name for it
    """Marks a text that is kept as data, so that it gets into the catalogs."""
    return message


def best_language(tag: str | None) -> str:
    """The nearest of LANGUAGES to an IETF tag (`sr-Latn-RS`, `hr`, `uk`); English if none is."""
    first = (tag or "").replace("_", "-").split("-", 1)[0].lower()
    return _NEAREST.get(first, "en")


def words(language: str | None) -> Words:
    """The words of the nearest language; made once."""
    return _words(best_language(language))


class Words:
    """Everything that is said in one language. `language` is one of LANGUAGES."""

    __slots__ = ("_translations", "language", "locale")

    def __init__(self, language: str, translations: gettext.NullTranslations) -> None:
        self.language = language
        self.locale = _locale(language)
        self._translations = translations

    def text(self, message: str, /, **values: object) -> str:
        """`message` in this language, its placeholders filled; without values it is left as is."""
        template = self._translations.gettext(message)
        return template.format_map(values) if values else template

    def count(self, one: str, many: str, n: int, /, **more: object) -> str:
        """The plural form that `n` asks for; `{count}` is `n` as this language writes it."""
        template = self._translations.ngettext(one, many, abs(n))
        return template.format_map({"count": self.number(n), **more})

    def points(self, n: int, unit: str) -> str:
        """`85 points`, `3 stamps`: `n` of the programme's unit; below zero too."""
        if unit == "stamps":
            return self.count("{count} stamp", "{count} stamps", n)
        return self.count("{count} point", "{count} points", n)

    def number(self, n: int | Decimal) -> str:
        """`12,480` · `12.480` · `12 480` (with a no-break space)."""
        return _number(self.language, n)

    def money(self, minor: int, currency: str) -> str:
        """An amount in minor units: `450 RSD`, `€4.50`; cents only where there are any."""
        return _money(self.language, minor, currency)

    def date(self, day: date | datetime, zone: str | tzinfo = "UTC") -> str:
        """`22 November 2025` · `22. 11. 2025.` · `22 ноября 2025`; a moment's day is `zone`'s."""
        if isinstance(day, datetime):
            day = day.astimezone(_zone(zone)).date()
        return _date(self.language, day)

    def day(self, month: int, day: int) -> str:
        """A day of any year: `24 December` · `24. 12.` · `24 декабря`."""
        leap = date(2000, month, day)  # so that the 29th of February is one
        return format_date(leap, _DAYS[self.language], locale=self.locale)

    def weekday(self, number: int) -> str:
        """`Mon` · `pon` · `пн`: 0 is Monday."""
        names = get_day_names("abbreviated", "stand-alone", self.locale)
        return str(names[number])

    def moment(self, at: datetime, zone: str | tzinfo) -> str:
        """Date and time in `zone`: `22 Nov 2025, 14:05`."""
        local = at.astimezone(_zone(zone))
        return format_datetime(local, _MOMENTS[self.language], locale=self.locale)

    def time(self, at: datetime, zone: str | tzinfo) -> str:
        """The time of day in `zone`: `14:05`, in every language of ours."""
        return at.astimezone(_zone(zone)).strftime("%H:%M")


def catalog(language: str) -> Catalog:
    """The language's .po file, as it is."""
    with (CATALOGS / language / "LC_MESSAGES" / "malva.po").open("rb") as file:
        return read_po(file, locale=_LOCALES[language])


def faults(language: str) -> list[str]:
    """What is wrong with a catalog, a sentence each; [] where it is complete and sound."""
    known = catalog(language)
    obsolete = [(message, "obsolete") for message in known.obsolete.values()]
    unsound = [(message, _fault(message, known.num_plurals)) for message in known if message.id]
    return [f"{language}: {why}: {_id(message)!r}" for message, why in obsolete + unsound if why]


@cache
def _words(language: str) -> Words:
    known = catalog(language)
    sound = Catalog(locale=known.locale, header_comment="", domain="malva")
    sound.mime_headers = known.mime_headers
    for message in known:
        if message.id and not _fault(message, known.num_plurals):
            sound[message.id] = message
    compiled = BytesIO()
    write_mo(compiled, sound)
    compiled.seek(0)
    return Words(language, gettext.GNUTranslations(compiled))


def _id(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def _fault(message: Message, plurals: int) -> str | None:
    """Why a translation can't be used, or None."""
    forms = [message.string] if isinstance(message.string, str) else list(message.string or [""])
    if message.fuzzy:
        return "fuzzy"
    if not all(forms):
        return "not translated"
    if message.pluralizable and len(forms) != plurals:
        return f"{len(forms)} plural forms instead of {plurals}"
    try:
        wanted = set(_placeholders(_id(message)))
        if any(set(_placeholders(form)) != wanted for form in forms):
            return "other placeholders than the English"
    except ValueError:
        return "a brace that is not closed"
    return None


def _placeholders(template: str) -> Iterator[str]:
    """The names in braces; ValueError where a brace stands alone."""
    return (name for _, name, _, _ in Formatter().parse(template) if name is not None)


@cache
def _locale(language: str) -> Locale:
    return Locale.parse(_LOCALES[language])


@cache
def _zone(zone: str | tzinfo) -> tzinfo:
    return ZoneInfo(zone) if isinstance(zone, str) else zone


@lru_cache(maxsize=4096)
def _date(language: str, day: date) -> str:
    return format_date(day, _DATES[language], locale=_locale(language))


@lru_cache(maxsize=16384)
def _number(language: str, n: int | Decimal) -> str:
    return format_decimal(n, locale=_locale(language))


@lru_cache(maxsize=16384)
def _money(language: str, minor: int, currency: str) -> str:
    locale = _locale(language)
    digits = exponent(currency)
    amount = Decimal(minor).scaleb(-digits)
    decimals = "" if minor % 10**digits == 0 else "." + "0" * digits
    if get_currency_symbol(currency, locale).isalpha():  # `450 RSD`: a bare code follows its number
        return f"{format_decimal(amount, '#,##0' + decimals, locale=locale)}\u00a0{currency}"
    pattern = "¤#,##0" + decimals if language == "en" else f"#,##0{decimals}\u00a0¤"
    return format_currency(amount, currency, pattern, locale=locale, currency_digits=False)
