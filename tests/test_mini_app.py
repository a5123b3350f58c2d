"""The card inside Telegram: `/card` opens the card of whoever Telegram says looks, and no other."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx2
import pytest
import sqlalchemy as sa

from core.services import linking, privacy
from core.storage import tables
from tests.end_to_end.around import plugins
from tests.end_to_end.guests import regulars, settle
from tests.simulators.telegram import TelegramSimulator
from tests.simulators.telegram_chats import Guest
from tests.support.running import SECRET_KEY, Running, run


@pytest.fixture(scope="module")
def telegram() -> Iterator[TelegramSimulator]:
    with TelegramSimulator() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def people(telegram: TelegramSimulator) -> list[Guest]:
    return regulars(telegram, 4)


@pytest.fixture(scope="module")
def malva(
    telegram: TelegramSimulator, people: list[Guest], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    url = f"sqlite:///{tmp_path_factory.mktemp('mini')}/malva.db"
    with run(url, plugins(telegram), cafes=()) as malva:
        settle(malva.database, SECRET_KEY, people)
        yield malva


@pytest.fixture
def http(malva: Running) -> Iterator[httpx2.Client]:
    headers = {"Accept-Language": "en"}
    with httpx2.Client(base_url=malva.url, headers=headers, timeout=20) as client:
        yield client


def enter(http: httpx2.Client, data: object, **headers: str) -> httpx2.Response:
    return http.post("/card", json={"data": data}, headers=headers)


def row_of(malva: Running, chat: Guest) -> int:
    c = tables.contacts.c
    asked = sa.select(c.guest_id).where(c.address == str(chat.id))
    return malva.database.read_now(lambda tx: tx.scalar(asked))


def test_it_opens_the_card_of_whoever_looks(http, people):
    for person in people[:2]:
        answer = enter(http, person.web_app_data())
        assert answer.status_code == 200
        page = http.get(answer.json()["card"])
        assert f"<h1>{person.user['first_name']}</h1>" in page.text
        assert http.post(f"{answer.json()['card']}/code").status_code == 200


def test_what_telegram_did_not_say_or_long_ago_opens_none(http, people):
    ana = people[0]
    for data in ("", "user=1", ana.web_app_data() + "0", ana.web_app_data(int(time.time()) - 4000)):
        refused = enter(http, data)
        assert (refused.status_code, "card" in refused.json()) == (403, False)
        assert "open your card again" in refused.json()["said"]
    assert "otvori karticu" in enter(http, "", **{"Accept-Language": "sr"}).json()["said"]


def test_whoever_has_no_card_is_told_in_telegram_s_language_how_to_get_one(http, telegram):
    stranger = telegram.guest(first_name="Иван", language_code="ru")
    answer = enter(http, stranger.web_app_data())
    assert answer.status_code == 404
    assert answer.json() == {
        "said": "У тебя ещё нет карты. Закрой эту страницу и напиши нам «старт» — это минута."
    }


def test_two_guests_that_became_one_have_one_card(malva, http, people):
    mila, twin = people[2], people[3]

    def become_one(tx) -> None:
        linking.merge(tx, row_of(malva, mila), row_of(malva, twin), malva.clock())

    malva.database.write_now(become_one)
    cards = {enter(http, one.web_app_data()).json()["card"] for one in (mila, twin)}
    assert len(cards) == 1
    assert http.get(cards.pop()).status_code == 200


def test_an_erased_guest_has_none(malva, telegram, http):
    (gone,) = regulars(telegram, 1)

    def settle_in(tx) -> None:
        guest = tx.scalar(sa.select(tables.guests.c.id))
        contact = {"channel": "telegram", "address": str(gone.id), "guest_id": guest}
        tx.execute(sa.insert(tables.contacts).values(**contact, created_at=malva.clock()))
        privacy.erase(tx, guest, malva.clock())

    malva.database.write_now(settle_in)
    assert enter(http, gone.web_app_data()).status_code == 404


@pytest.mark.parametrize("sent", [b"", b"[]", b"{}", b'{"data": 1}', b'{"data": "' + b"x" * 70_000])
def test_what_is_no_request_is_refused(http, sent):
    headers = {"Content-Type": "application/json"}
    assert http.post("/card", content=sent, headers=headers).status_code == 400


def test_another_site_s_page_opens_no_card(http, people):
    data = people[0].web_app_data()
    assert enter(http, data, Origin="https://evil.example").status_code == 403
    assert http.post("/card", data={"data": data}).status_code == 403


def test_the_page_may_stand_in_telegram_s_own_and_loads_nothing_from_elsewhere(http):
    page = http.get("/card")
    policy = page.headers["content-security-policy"]
    assert policy.endswith("frame-ancestors 'self' https://web.telegram.org")
    assert page.headers["cache-control"] == "no-store"
    assert "telegram.org" not in page.text
