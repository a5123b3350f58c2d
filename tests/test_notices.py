"""Notices: where they go, and what they say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from core.services import cafes
from core.services.importing import import_rows, read_csv
from core.services.notices import notify, render_notice
from core.storage.tables import contacts, guests, messages
from core.storage.tx import Tx

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
REWARD = {
    "names": {"en": "Free coffee", "sr": "Besplatna kafa", "ru": "Бесплатный кофе"},
    "cost": 1000,
}
SPEND = {"rule": "spend", "points": 45, "spent_minor": 45000, "currency": "RSD"}
COFFEES = {
    "rule": "product",
    "points": 40,
    "names": {"en": "Cappuccino", "sr": "Kapućino", "ru": "Капучино"},
    "quantity": "2",
}
EARNED: dict[str, Any] = {
    "cafe": "BIFE",
    "points": 85,
    "unit": "points",
    "balance": 525,
    "because": [SPEND, COFFEES],
    "next": REWARD,
}


def said(kind: str, facts: dict[str, Any], language: str = "en") -> list[str]:
    text = render_notice(kind, facts, language).text
    return text.replace("\u00a0", " ").split("\n")


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        ("en", [
            "☕ BIFE: +85 points",
            "450 RSD spent: +45 points",
            "2 × Cappuccino: +40 points",
            "Balance: 525 points",
            "▓▓▓▓▓░░░░░ 525 / 1,000",
            "475 points to go until “Free coffee”.",
        ]),
        ("sr", [
            "☕ BIFE: +85 poena",
            "Račun od 450 RSD: +45 poena",
            "2 × Kapućino: +40 poena",
            "Stanje: 525 poena",
            "▓▓▓▓▓░░░░░ 525 / 1.000",
            "Još 475 poena do nagrade „Besplatna kafa“.",
        ]),
        ("ru", [
            "☕ BIFE: +85 баллов",
            "Покупка на 450 RSD: +45 баллов",
            "2 × Капучино: +40 баллов",
            "Баланс: 525 баллов",
            "▓▓▓▓▓░░░░░ 525 / 1 000",
            "Ещё 475 баллов до награды «Бесплатный кофе».",
        ]),
    ],
)  # fmt: skip
def test_an_order_names_cafe_points_reasons_balance_and_the_way(
    language: str, lines: list[str]
) -> None:
    assert said("points_earned", EARNED, language) == lines


def test_a_single_reason_needs_no_points_of_its_own() -> None:
    assert said("points_earned", {**EARNED, "points": 45, "because": [SPEND]})[:3] == [
        "☕ BIFE: +45 points",
        "450 RSD spent",
        "Balance: 525 points",
    ]


def test_a_remainder_that_helped_is_named() -> None:
    because = [{**SPEND, "spent_minor": 45050, "carried_minor": 50}]
    assert said("points_earned", {**EARNED, "because": because})[1] == (
        "450.50 RSD spent, 0.50 RSD left over from before"
    )


def test_the_reward_just_reached_takes_the_place_of_the_way() -> None:
    facts = {**EARNED, "balance": 1010, "next": None, "reached": REWARD}
    assert said("points_earned", facts)[-2:] == [
        "Balance: 1,010 points",
        "🎉 You've collected enough for “Free coffee”!",
    ]


def test_without_a_reward_the_balance_is_the_last_word() -> None:
    assert said("points_earned", {**EARNED, "next": None})[-1] == "Balance: 525 points"


def test_a_refund_says_so_even_below_zero() -> None:
    facts = {"cafe": "BIFE", "points": -85, "unit": "points", "balance": -12, "next": REWARD}
    assert said("points_taken_back", facts) == [
        "↩️ BIFE: -85 points",
        "An order was refunded.",
        "Balance: -12 points",
        "That is below zero: your next orders will make up for it.",
    ]


def test_an_order_that_was_another_guests_is_no_refund() -> None:
    because = [{"rule": "misgiven", "points": -85}]
    facts = {"cafe": "BIFE", "points": -85, "unit": "points", "balance": 0, "because": because}
    assert said("points_taken_back", facts, "sr") == [
        "↩️ BIFE: -85 poena",
        "Porudžbina je greškom upisana na tvoju karticu",
        "Stanje: 0 poena",
    ]


def test_a_balance_brought_along_is_welcomed() -> None:
    facts = {"cafe": "BIFE", "points": 3, "unit": "stamps", "balance": 3, "next": None}
    assert said("joined_balance", facts, "ru") == [
        "🎁 BIFE: +3 штампа",
        "Ваши прежние накопления теперь на карте.",
        "Баланс: 3 штампа",
    ]


@pytest.mark.parametrize(
    ("kind", "rule", "language", "lines"),
    [
        ("invitation_points", "invitation", "en",
         ["👥 BIFE: +100 points", "A friend came by your invitation", "Balance: 100 points"]),
        ("invitation_points", "invited", "sr",
         ["👥 BIFE: +100 poena", "Tu si na poziv prijatelja", "Stanje: 100 poena"]),
        ("invitation_taken_back", "invitation_return", "ru",
         ["↩️ BIFE: -100 баллов", "Приглашение: первый заказ не засчитан", "Баланс: 0 баллов"]),
    ],
)  # fmt: skip
def test_what_an_invitation_gave_and_took_back(
    kind: str, rule: str, language: str, lines: list[str]
) -> None:
    points = -100 if rule == "invitation_return" else 100
    because = [{"rule": rule, "points": points}]
    facts = {"cafe": "BIFE", "points": points, "unit": "points", "because": because}
    assert said(kind, {**facts, "balance": max(points, 0)}, language) == lines


def test_its_parts_are_there_for_a_providers_templates() -> None:
    notice = render_notice("points_earned", EARNED, "sr-Latn")
    assert (notice.kind, notice.language) == ("points_earned", "sr")
    assert {name: text.replace("\u00a0", " ") for name, text in notice.variables.items()} == {
        "cafe": "BIFE",
        "points": "+85 poena",
        "because": "Račun od 450 RSD: +45 poena · 2 × Kapućino: +40 poena",
        "balance": "525 poena",
        "reward": "Besplatna kafa",
        "missing": "475 poena",
    }


def test_markup_and_braces_in_names_stay_text() -> None:
    facts = {**EARNED, "cafe": "<b>{cafe}</b>", "next": {"names": {"en": "{x}"}, "cost": 1000}}
    lines = said("points_earned", facts)
    assert lines[0] == "☕ <b>{cafe}</b>: +85 points"
    assert lines[-1] == "475 points to go until “{x}”."


# -- where it goes ---------------------------------------------------------------------------------


def a_guest(tx: Tx, **more: Any) -> int:
    row = {"public_id": "g1", "name": "Ana", "language": "sr", "secret": b"", "created_at": NOW}
    row |= more
    return int(tx.scalar(sa.insert(guests).values(row).returning(guests.c.id)))


def a_contact(tx: Tx, guest: int, channel: str, **more: Any) -> int:
    row = {"guest_id": guest, "channel": channel, "address": "1", "created_at": NOW, **more}
    return int(tx.scalar(sa.insert(contacts).values(row).returning(contacts.c.id)))


def test_a_notice_goes_where_the_guest_was_heard_last(tx: Tx) -> None:
    guest = a_guest(tx)
    a_contact(tx, guest, "viber")
    a_contact(tx, guest, "webchat", heard_at=NOW - timedelta(days=2))
    telegram = a_contact(tx, guest, "telegram", heard_at=NOW - timedelta(days=1))
    a_contact(tx, guest, "whatsapp", heard_at=NOW, gone_at=NOW)

    assert notify(tx, guest, "points_earned", EARNED, NOW) is not None

    (row,) = tx.execute(sa.select(messages)).all()
    assert (row.contact_id, row.channel, row.lane) == (telegram, "telegram", 1)
    assert (row.kind, row.body) == ("points_earned", EARNED)
    assert (row.due_at, row.expires_at) == (NOW, NOW + timedelta(days=1))


def test_nobody_to_reach_is_no_error(tx: Tx) -> None:
    guest = a_guest(tx)
    a_contact(tx, guest, "telegram", heard_at=NOW, gone_at=NOW)
    assert notify(tx, guest, "points_earned", EARNED, NOW) is None
    assert tx.scalar(sa.select(sa.func.count()).select_from(messages)) == 0


def test_a_guest_known_already_is_told_of_a_balance_brought_along(tx: Tx) -> None:
    cafes.add(tx, "bife", "BIFE", "RSD", "Europe/Belgrade", NOW)
    guest = a_guest(tx, phone="+381601234567", phone_proven=True)
    a_contact(tx, guest, "telegram", heard_at=NOW)

    rows = read_csv("phone,name,language,balance,cafe\n+381601234567,Ana,sr,250,bife\n")
    assert import_rows(tx, rows, NOW).claimed == 1

    (row,) = tx.execute(sa.select(messages)).all()
    assert said(row.kind, row.body, "sr") == [
        "🎁 BIFE: +250 poena",
        "Tvoje ranije stanje je sada na kartici.",
        "Stanje: 250 poena",
        "▓▓░░░░░░░░ 250 / 1.000",
        "Još 750 poena do nagrade „Besplatna kafa“.",
    ]
