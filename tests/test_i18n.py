"""A guest's language: the nearest of three, plural forms, numbers, money and dates."""

from datetime import UTC, date, datetime

import pytest

from core.i18n import best_language, words

NBSP = "\u00a0"
ONE_AND_A_HALF_MILLION = {"en": "1,500,000", "sr": "1.500.000", "ru": f"1{NBSP}500{NBSP}000"}


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("en", "en"), ("en-GB", "en"), ("sr", "sr"), ("sr-Latn-RS", "sr"), ("sr_Cyrl", "sr"),
        ("SR", "sr"), ("hr", "sr"), ("bs", "sr"), ("me", "sr"), ("cnr", "sr"),
        ("ru", "ru"), ("uk", "ru"), ("be", "ru"), ("kk-KZ", "ru"),
        ("de", "en"), ("srx", "en"), ("", "en"), (None, "en"), ("☕", "en"),
    ],
)  # fmt: skip
def test_a_tag_gets_the_nearest_language(tag: str | None, language: str) -> None:
    assert best_language(tag) == language
    assert words(tag).language == language


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["0 points", "1 point", "2 points", "5 points", "11 points", "21 points"]),
        ("sr", ["0 poena", "1 poen", "2 poena", "5 poena", "11 poena", "21 poen"]),
        ("ru", ["0 баллов", "1 балл", "2 балла", "5 баллов", "11 баллов", "21 балл"]),
    ],
)
def test_points_in_their_plural_forms(language: str, said: list[str]) -> None:
    assert [words(language).points(n, "points") for n in (0, 1, 2, 5, 11, 21)] == said


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["1 stamp", "3 stamps", "10 stamps"]),
        ("sr", ["1 pečat", "3 pečata", "10 pečata"]),
        ("ru", ["1 штамп", "3 штампа", "10 штампов"]),
    ],
)
def test_stamps_in_their_plural_forms(language: str, said: list[str]) -> None:
    assert [words(language).points(n, "stamps") for n in (1, 3, 10)] == said


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["-1 point", "-2 points", "-12,480 points"]),
        ("sr", ["-1 poen", "-2 poena", "-12.480 poena"]),
        ("ru", ["-1 балл", "-2 балла", f"-12{NBSP}480 баллов"]),
    ],
)
def test_points_below_zero(language: str, said: list[str]) -> None:
    assert [words(language).points(n, "points") for n in (-1, -2, -12480)] == said


@pytest.mark.parametrize(("language", "said"), ONE_AND_A_HALF_MILLION.items())
def test_a_number_is_grouped_as_the_language_does(language: str, said: str) -> None:
    assert words(language).number(1_500_000) == said


@pytest.mark.parametrize(
    ("minor", "currency", "en", "sr", "ru"),
    [
        (45000, "RSD", "450 RSD", "450 RSD", "450 RSD"),
        (45050, "RSD", "450.50 RSD", "450,50 RSD", "450,50 RSD"),
        (1234500, "RSD", "12,345 RSD", "12.345 RSD", "12 345 RSD"),
        (450, "EUR", "€4.50", "4,50 €", "4,50 €"),
        (-400, "EUR", "-€4", "-4 €", "-4 €"),
        (45000, "RUB", "450 RUB", "450 RUB", "450 ₽"),
        (450, "JPY", "¥450", "450 ¥", "450 ¥"),
        (1234500, "KWD", "1,234.500 KWD", "1.234,500 KWD", "1 234,500 KWD"),
    ],
)
def test_money_as_a_local_writes_it(minor: int, currency: str, en: str, sr: str, ru: str) -> None:
    said = [words(language).money(minor, currency) for language in ("en", "sr", "ru")]
    assert [text.replace(NBSP, " ") for text in said] == [en, sr, ru]


@pytest.mark.parametrize(
    ("language", "day", "moment"),
    [
        ("en", "1 March 2026", "1 Mar 2026, 00:05"),
        ("sr", "1. 3. 2026.", "1. 3. 2026. u 00:05"),
        ("ru", "1 марта 2026", "1 мар. 2026, 00:05"),
    ],
)
def test_times_are_told_in_the_cafes_zone(language: str, day: str, moment: str) -> None:
    w, at = words(language), datetime(2026, 2, 28, 23, 5, tzinfo=UTC)
    assert w.date(at, "Europe/Belgrade") == w.date(date(2026, 3, 1)) == day
    assert w.moment(at, "Europe/Belgrade") == moment
    assert w.time(at, "Europe/Belgrade") == "00:05"


@pytest.mark.parametrize(
    ("language", "said"), [("en", "29 February"), ("sr", "29. 2."), ("ru", "29 февраля")]
)
def test_a_day_of_any_year(language: str, said: str) -> None:
    assert words(language).day(2, 29) == said


def test_braces_in_a_value_stay_as_they_are() -> None:
    assert words("sr").text("Balance: {points}", points="{0} {x!r} %s") == "Stanje: {0} {x!r} %s"


def test_a_text_that_no_catalog_knows_is_said_in_english() -> None:
    assert words("ru").text("Mind the {what}!", what="gap") == "Mind the gap!"
