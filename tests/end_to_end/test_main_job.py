"""The main job from outside: a guest joins, shows the card, pays, and reads what it brought."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from core.pictures import draw
from tests.end_to_end.around import STATION, WEBHOOK_TOKEN, Till, Visitor, eventually, plugins
from tests.simulators.octopos import OctoposSimulator
from tests.simulators.telegram import TelegramSimulator
from tests.simulators.telegram_chats import Guest
from tests.support.running import Running, run


@dataclass(frozen=True)
class Town:
    """Two cafes, of which `bife` has Octopos and a till of the till API."""

    malva: Running
    telegram: TelegramSimulator
    octopos: OctoposSimulator
    till: Till


@pytest.fixture
def town(request: pytest.FixtureRequest) -> Iterator[Town]:
    """On the database that the test's parameter names."""
    url = request.getfixturevalue(f"{request.param}_url")
    with ExitStack() as stack:
        telegram = stack.enter_context(TelegramSimulator())
        octopos = stack.enter_context(OctoposSimulator())
        toml = plugins(telegram, octopos)
        malva = stack.enter_context(run(url, toml, cafes=("bife", "zrno")))
        octopos.deliver_to(f"{malva.url}/pos/octopos/bife/webhook", token=WEBHOOK_TOKEN)
        till = Till(malva.url, malva.add_till(station=str(STATION)))
        yield Town(malva, telegram, octopos, stack.enter_context(till))


@dataclass(frozen=True)
class Words:
    """What a guest presses and reads in one language."""

    language: str
    own_name: str
    skip: str
    card: str
    share: str
    earned: str
    reached: str
    taken_back: str

    def __str__(self) -> str:
        return self.language


ENGLISH = Words(
    "en",
    "English",
    "Skip",
    "☕ My card",
    "📱 Share my number",
    "☕ BIFE: +450 points\n450\xa0RSD spent\nBalance: 450 points\n"
    "▓▓▓▓░░░░░░ 450 / 1,000\n550 points to go until “Free coffee”.",
    "☕ BIFE: +601 points\n601\xa0RSD spent\nBalance: 1,051 points\n"
    "🎉 You've collected enough for “Free coffee”!",
    "↩️ BIFE: -450 points\nAn order was refunded.\nBalance: 601 points\n"
    "▓▓▓▓▓▓░░░░ 601 / 1,000\n399 points to go until “Free coffee”.",
)
SERBIAN = Words(
    "sr",
    "Srpski",
    "Preskoči",
    "☕ Moja kartica",
    "📱 Podeli moj broj",
    "☕ BIFE: +450 poena\nRačun od 450\xa0RSD\nStanje: 450 poena\n"
    "▓▓▓▓░░░░░░ 450 / 1.000\nJoš 550 poena do nagrade „Besplatna kafa“.",
    "☕ BIFE: +601 poen\nRačun od 601\xa0RSD\nStanje: 1.051 poen\n"
    "🎉 Imaš dovoljno za nagradu „Besplatna kafa“!",
    "↩️ BIFE: -450 poena\nNovac za porudžbinu je vraćen.\nStanje: 601 poen\n"
    "▓▓▓▓▓▓░░░░ 601 / 1.000\nJoš 399 poena do nagrade „Besplatna kafa“.",
)
RUSSIAN = Words(
    "ru",
    "Русский",
    "Пропустить",
    "☕ Моя карта",
    "📱 Поделиться номером",
    "☕ BIFE: +450 баллов\nПокупка на 450\xa0RSD\nБаланс: 450 баллов\n"
    "▓▓▓▓░░░░░░ 450 / 1\xa0000\nЕщё 550 баллов до награды «Бесплатный кофе».",
    "☕ BIFE: +601 балл\nПокупка на 601\xa0RSD\nБаланс: 1\xa0051 балл\n"
    "🎉 Вы накопили на награду «Бесплатный кофе»!",
    "↩️ BIFE: -450 баллов\nПо заказу оформлен возврат.\nБаланс: 601 балл\n"
    "▓▓▓▓▓▓░░░░ 601 / 1\xa0000\nЕщё 399 баллов до награды «Бесплатный кофе».",
)
STORIES = [
    pytest.param("sqlite", ENGLISH, id="sqlite-en"),
    pytest.param("sqlite", SERBIAN, id="sqlite-sr"),
    pytest.param("sqlite", RUSSIAN, id="sqlite-ru"),
    pytest.param("postgres", SERBIAN, id="postgresql-sr", marks=pytest.mark.postgres),
]
stories = pytest.mark.parametrize(("town", "words"), STORIES, indirect=["town"])


@stories
def test_on_telegram(town: Town, words: Words) -> None:
    guest = town.telegram.guest(
        first_name="Ana", language_code=words.language, phone="381601234567"
    )
    assert joins(guest, words) <= 5, "taps, /start counted"

    # the typed code at the till, the order by Octopos
    card = guest.wait_for(kind="photo")
    code = code_of(card.text)
    told = town.till.identify(code=code)
    assert told["guest"]["name"] == "Ana"
    assert told["balance"] == 0
    qr = f"MALVA1.{told['guest']['id']}.{code.replace(' ', '')}"
    assert card.photo == draw(qr), "the picture beside the digits is their QR"
    order = town.octopos.pays(station=STATION, lines=[("Cappuccino", 2, "225.00")])
    guest.wait_for(text=words.earned)

    # the scanned QR, the order by the till API
    guest.says(words.card)
    card = guest.wait_for(kind="photo", fresh=True)
    fresh = code_of(card.text).replace(" ", "")
    visit = town.till.identify(qr=f"MALVA1.{told['guest']['id']}.{fresh}")["visit"]
    assert town.till.order("o1", "601.00", visit=visit).json()["balance"] == 1051
    guest.wait_for(text=words.reached)

    # both orders are refunded: one is found by polling, the other told by the till API
    town.octopos.refunds(order["order_number"])
    guest.wait_for(text=words.taken_back)
    assert town.till.refund("o1").json()["balance"] == 0
    eventually(lambda: len(notices(guest)) == 4)
    assert "-601" in notices(guest)[-1]


@stories
def test_on_web_chat(town: Town, words: Words) -> None:
    with Visitor(town.malva.url, words.language) as guest:
        guest.starts("cafe_bife")
        guest.presses(words.own_name)
        guest.wait_for(text="?", option=None)
        guest.says("Ana")
        guest.presses(words.skip)
        card = next(m for m in guest.wait_for(text="0 ") if m["picture"])

        visit = town.till.identify(code=code_of(card["text"]))["visit"]
        order = town.octopos.pays(station=STATION, lines=[("Cappuccino", 2, "225.00")])
        guest.wait_for(text=words.earned)
        assert town.till.order("o1", "601.00", visit=visit).json()["balance"] == 1051
        guest.wait_for(text=words.reached)
        town.octopos.refunds(order["order_number"])
        guest.wait_for(text=words.taken_back)


@pytest.mark.parametrize("town", ["sqlite"], indirect=True)
def test_an_order_of_nobody_is_claimed_later(town: Town) -> None:
    unclaimed = town.till.order("o1")
    assert (unclaimed.status_code, unclaimed.json()["balance"]) == (201, None)
    guest = town.telegram.guest(phone="381601234567")
    joins(guest, ENGLISH)
    visit = town.till.identify(phone="+381601234567")["visit"]
    assert town.till.post("orders/o1/claim", {"visit": visit}).json()["points"] == 450
    guest.wait_for(text=ENGLISH.earned)


@pytest.mark.parametrize("town", ["sqlite"], indirect=True)
def test_a_reward_card_of_octopos_names_the_guest_by_phone(town: Town) -> None:
    guest = town.telegram.guest(phone="381601234567")
    joins(guest, ENGLISH)
    reward_card = town.octopos.reward_card("060 123-45-67")
    town.octopos.pays(reward_card_id=reward_card, lines=[("Cappuccino", 2, "225.00")])
    guest.wait_for(text=ENGLISH.earned)


@pytest.mark.parametrize("town", ["sqlite"], indirect=True)
def test_octopos_wrong_slow_or_away_delays_points_and_loses_none(town: Town) -> None:
    guest = town.telegram.guest(phone="381601234567")
    joins(guest, ENGLISH)
    reward_card = town.octopos.reward_card("+381601234567")

    def pays(**how: int) -> None:
        town.octopos.pays(
            reward_card_id=reward_card, lines=[("Espresso", 1, "100.00")], copies=2, **how
        )

    town.octopos.fail("GET /orders/*", 500, times=2)
    pays()
    town.octopos.expire_tokens()
    pays(hidden_reads=1)
    town.octopos.fail("GET /orders/*", 502, html=True)
    town.octopos.reset("GET /reward_cards/*")
    pays()
    guest.wait_for(text="Balance: 300 points", timeout=15)
    assert len(notices(guest)) == 3


def joins(guest: Guest, words: Words) -> int:
    """From /start to the card; the number of taps."""
    steps = [
        (words.own_name, lambda: guest.presses(words.own_name)),
        ("Ana", lambda: guest.presses("Ana")),
        (words.share, lambda: guest.presses(words.share)),
        ("BIFE", lambda: guest.presses("BIFE")),
    ]
    guest.starts()
    for shown, tap in steps:
        guest.wait_for(button=shown, fresh=True)
        tap()
    assert guest.wait_for(kind="photo", fresh=True), "the card is the next message"
    assert guest.fresh[0].kind == "photo"
    return 1 + len(steps)


def code_of(card: str) -> str:
    found = re.search(r"\d{3} \d{3}", card)
    assert found, card
    return found[0]


def notices(guest: Guest) -> list[str]:
    return [m.text for m in guest.messages if m.text.startswith(("☕ BIFE", "↩️"))]
