"""Phrases that the conversation, the notices and the pages share."""

from typing import Any

import pytest

from core.i18n import words
from core.phrases import balance, entry_text, name_in, progress, way_to

SPEND = {"rule": "spend", "points": 450, "spent_minor": 45000, "currency": "RSD"}
COFFEE = {"rule": "product", "points": 20, "names": {"en": "Latte"}, "quantity": "1"}
HELLO = {"rule": "bonus", "points": 50, "kind": "welcome", "names": {}}
HAPPY = {
    "rule": "bonus",
    "points": 45,
    "kind": "happy_hours",
    "names": {"en": "Siesta"},
    "factor": 150,
}
REFUND = {"rule": "refund", "points": -45, "refunded_minor": 4500, "currency": "RSD"}


@pytest.mark.parametrize(
    ("balance", "cost", "bar"),
    [
        (-20, 1000, "░░░░░░░░░░ -20 / 1,000"),
        (0, 1000, "░░░░░░░░░░ 0 / 1,000"),
        (480, 1000, "▓▓▓▓░░░░░░ 480 / 1,000"),
        (999, 1000, "▓▓▓▓▓▓▓▓▓░ 999 / 1,000"),
        (1000, 1000, "▓▓▓▓▓▓▓▓▓▓ 1,000 / 1,000"),
        (1200, 1000, "▓▓▓▓▓▓▓▓▓▓ 1,200 / 1,000"),
        (3, 7, "▓▓▓▓░░░░░░ 3 / 7"),
    ],
)
def test_the_bar_is_never_fuller_than_the_balance(balance: int, cost: int, bar: str) -> None:
    assert progress(balance, cost, words("en")) == bar


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "1 stamp to go until “Tea”."),
        ("sr", "Još 1 pečat do nagrade „Tea“."),
        ("ru", "Ещё 1 штамп до награды «Tea»."),
    ],
)
def test_the_way_to_a_reward(language: str, sentence: str) -> None:
    assert way_to("Tea", 10, 9, "stamps", words(language)).split("\n")[1] == sentence


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        ("en", "Balance: 9 stamps\nIncluding 1 stamp held for what you've picked"),
        ("sr", "Stanje: 9 pečata\nOd toga odvojeno za izabrano: 1 pečat"),
        ("ru", "Баланс: 9 штампов\nИз них отложено на выбранное: 1 штамп"),
    ],
)
def test_what_of_a_balance_is_held_is_said_below_it(language: str, lines: str) -> None:
    assert balance(9, 1, "stamps", words(language)) == lines
    assert balance(9, 0, "stamps", words(language)) == lines.split("\n")[0]


@pytest.mark.parametrize(
    ("kind", "because", "en", "sr", "ru"),
    [
        ("order", [SPEND], "450 RSD spent", "Račun od 450 RSD", "Покупка на 450 RSD"),
        (
            "order",
            [COFFEE, SPEND],
            "1 × Latte · 450 RSD spent",
            "1 × Latte · Račun od 450 RSD",
            "1 × Latte · Покупка на 450 RSD",
        ),
        (
            "order",
            [HELLO, HAPPY],
            "Welcome gift · Siesta ×1.5",
            "Poklon dobrodošlice · Siesta ×1,5",
            "Приветственный подарок · Siesta ×1,5",
        ),
        ("refund", [REFUND], "Refund of 45 RSD", "Povraćaj: 45 RSD", "Возврат: 45 RSD"),
        (
            "opening",
            [{"rule": "opening", "points": 250}],
            "Earlier balance",
            "Ranije stanje",
            "Прежний баланс",
        ),
        (
            "merge",
            [],
            "From your other profile",
            "Sa tvog drugog profila",
            "С вашего другого профиля",
        ),
    ],
)
def test_why_a_balance_moved(kind: str, because: list[Any], en: str, sr: str, ru: str) -> None:
    said = [entry_text(kind, because, words(language)) for language in ("en", "sr", "ru")]
    assert [text.replace("\u00a0", " ") for text in said] == [en, sr, ru]


def test_a_name_that_this_language_lacks_is_told_in_english() -> None:
    assert name_in({"ru": "Чай", "en": "Tea"}, words("sr")) == "Tea"
    assert name_in({"ru": "Чай"}, words("sr")) == "Чай"
