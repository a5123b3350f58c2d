"""One guest on several messengers: a code that is given in one chat and written in the other."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from core.contract import Capabilities, Chose, Inbound, Said, Sender, Started
from core.domain import linkcodes
from core.i18n import LANGUAGES, words
from core.keys import Keys
from core.services import cafes, guests, ledger, notices
from core.storage import tables
from core.storage.database import Database
from core.talk import House, talk

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PLAIN = {"options": 100, "text_length": 4096, "caption_length": 1024}


class Messenger:
    """A connected channel, as far as a conversation needs one."""

    def __init__(self, title: str) -> None:
        self.capabilities = Capabilities(title=title, **PLAIN)

    def join_link(self, payload: str) -> str:
        return f"https://{self.capabilities.title.lower()}.example/?start={payload}"


CHANNELS = {"telegram": Messenger("Telegram"), "viber": Messenger("Viber")}


class Chat:
    def __init__(self, database: Database, channel: str, address: str, language: str) -> None:
        self.database, self.channel, self.address = database, channel, address
        self.language = language
        self.count = 0
        self.seen = 0
        self.house = House(
            "BIFE", "https://malva.example", Keys(Keys.generate()), channels=CHANNELS
        )

    def do(self, content, now=NOW):
        """The messages that follow, as (kind, body)."""
        self.count += 1
        sender = Sender(self.address, "Ana", self.language)
        event = Inbound(event_id=f"{self.count}", sender=sender, content=content)
        capabilities = CHANNELS[self.channel].capabilities
        self.database.write_now(talk, self.channel, capabilities, event, self.house, now)
        return self.heard()

    def heard(self):
        m = tables.messages.c
        rows = self.database.read_now(
            lambda tx: tx.execute(
                sa.select(m.id, m.kind, m.body)
                .join(tables.contacts, tables.contacts.c.id == m.contact_id)
                .where(m.id > self.seen, tables.contacts.c.address == self.address)
                .where(m.channel == self.channel)
                .order_by(m.id)
            ).all()
        )
        self.seen = max([self.seen, *(row.id for row in rows)])
        return [(row.kind, row.body) for row in rows]

    def registers(self):
        for value in (f"language:{self.language}", "name:offered", "phone:skip", "offers:no"):
            self.do(Started() if self.count == 0 else Chose("menu"))
            self.do(Chose(value))
        return self.guest_id()

    def guest_id(self):
        c = tables.contacts.c
        return self.database.read_now(
            lambda tx: tx.scalar(
                sa.select(c.guest_id).where(c.channel == self.channel, c.address == self.address)
            )
        )

    def asks_for_code(self, now=NOW):
        (_, body), *_ = self.do(Chose("link"), now)
        return next(code for word in body["text"].split() if (code := linkcodes.read(word))), body


@pytest.fixture
def database(database_url):
    database = Database(database_url)
    database.write_now(cafes.add, "bife", "BIFE", "RSD", "Europe/Belgrade", NOW)
    yield database
    database.close()


@pytest.fixture(params=LANGUAGES)
def chats(database, request):
    """A guest on Telegram, and somebody on Viber of whom nothing is known yet."""
    telegram = Chat(database, "telegram", "1", request.param)
    telegram.registers()
    return telegram, Chat(database, "viber", "v", request.param)


def points(database, guest_id):
    return database.read_now(ledger.balance, guest_id, 1)


def earn(database, guest_id, number):
    database.write_now(
        ledger.add_entry,
        guest_id=guest_id,
        programme_id=1,
        cafe_id=1,
        kind="order",
        reference=f"order:{guest_id}",
        points=number,
        because=[],
        now=NOW,
    )


def test_a_code_written_on_another_messenger_connects_it_and_shows_the_card(database, chats):
    telegram, viber = chats
    earn(database, telegram.guest_id(), 480)
    code, body = telegram.asks_for_code()
    assert [link[1] for link in body["links"]] == [f"https://viber.example/?start=link_{code}"]
    w = words(viber.language)
    card, welcome = sorted(viber.do(Said(f" {linkcodes.shown(code).lower()} ")))
    assert card[0] == "card"
    assert w.text("This messenger is connected to your card now.") in welcome[1]["text"]
    assert w.points(480, "points") in welcome[1]["text"]
    assert viber.guest_id() == telegram.guest_id()
    ((_, told),) = telegram.heard()
    assert told["text"] == w.text("{messenger} is connected to your card now.", messenger="Viber")


def test_the_deep_link_connects_as_the_typed_code_does(database, chats):
    telegram, viber = chats
    code, _ = telegram.asks_for_code()
    viber.do(Started(f"link_{code}"))
    assert viber.guest_id() == telegram.guest_id()


def test_a_code_may_be_written_in_the_middle_of_the_registration(database, chats):
    telegram, viber = chats
    code, _ = telegram.asks_for_code()
    viber.do(Started())
    viber.do(Chose(f"language:{viber.language}"))
    viber.do(Said(code))
    assert viber.guest_id() == telegram.guest_id()


def test_two_guests_become_one_without_losing_or_doubling_points(database, chats):
    telegram, viber = chats
    earn(database, telegram.guest_id(), 480)
    earn(database, viber.registers(), 70)
    code, _ = telegram.asks_for_code()
    viber.do(Said(code))
    assert viber.guest_id() == telegram.guest_id()
    assert points(database, telegram.guest_id()) == 550
    assert database.read_now(ledger.prove) == []


@pytest.mark.parametrize("late", [False, True], ids=["used", "old"])
def test_a_code_works_once_and_for_ten_minutes(database, chats, late):
    telegram, viber = chats
    code, _ = telegram.asks_for_code()
    if not late:
        Chat(database, "viber", "somebody else", "en").do(Said(code))
    w = words(viber.language)
    ((_, body),) = viber.do(Said(code), NOW + timedelta(minutes=11 if late else 1))
    assert "10" in body["text"]
    assert w.text("Which language do you prefer?") in body["text"]
    assert viber.guest_id() is None


def test_a_new_code_takes_the_place_of_the_last(database, chats):
    telegram, viber = chats
    first, _ = telegram.asks_for_code()
    second, _ = telegram.asks_for_code()
    viber.do(Said(first))
    assert viber.guest_id() is None
    viber.do(Said(second))
    assert viber.guest_id() == telegram.guest_id()


@pytest.mark.anyio
async def test_of_many_who_write_a_code_at_once_one_is_connected(database):
    telegram = Chat(database, "telegram", "1", "en")
    await asyncio.to_thread(telegram.registers)
    code, _ = await asyncio.to_thread(telegram.asks_for_code)
    crowd = [Chat(database, "viber", f"v{n}", "en") for n in range(8)]
    await asyncio.gather(*(asyncio.to_thread(chat.do, Said(code)) for chat in crowd))
    assert sum(chat.guest_id() is not None for chat in crowd) == 1


def test_a_guest_chooses_where_to_be_told(database, chats):
    telegram, viber = chats
    code, _ = telegram.asks_for_code()
    viber.do(Said(code), NOW + timedelta(minutes=1))
    guest = telegram.guest_id()
    facts = {"cafe": "BIFE", "points": 5, "unit": "points", "balance": 5, "because": []}

    def told_on():
        row = database.write_now(notices.notify, guest, "points_earned", facts, NOW)
        m = tables.messages.c
        return database.read_now(lambda tx: tx.scalar(sa.select(m.channel).where(m.id == row)))

    assert told_on() == "viber"  # heard last
    *_, (_, body) = viber.do(Chose("set:told_on"))
    assert [option[1] for row in body["options"] for option in row][:2] == ["Telegram", "Viber"]
    viber.do(Chose("told_on:telegram"))
    assert told_on() == "telegram"
    assert database.read_now(guests.profile, guest).told_on == "telegram"
    viber.do(Chose("told_on:last"))
    assert told_on() == "viber"


def test_with_one_messenger_there_is_nothing_to_connect(database):
    telegram = Chat(database, "telegram", "1", "en")
    telegram.house = House("BIFE", "https://malva.example", Keys(Keys.generate()))
    telegram.registers()
    ((_, body),) = telegram.do(Chose("settings"))
    values = [option[0] for row in body["options"] for option in row]
    assert "link" not in values
    assert "set:told_on" not in values
