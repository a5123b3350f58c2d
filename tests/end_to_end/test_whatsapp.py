"""WhatsApp in a whole Malva: the card, an order's points, the 24 hours, STOP, callbacks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta

import pytest
import sqlalchemy as sa

from core.pictures import draw
from core.storage.tables import contacts, event_log, messages, seen_events
from tests.end_to_end.around import Till, eventually
from tests.simulators.twilio import TwilioSimulator
from tests.simulators.twilio_guests import Guest, Message
from tests.support.running import Running, run
from tests.support.whatsapp_chat import house


@dataclass(frozen=True)
class Town:
    malva: Running
    twilio: TwilioSimulator
    till: Till
    ana: Guest

    def register(self) -> None:
        self.ana.starts("cafe_bife")
        self.ana.wait_for(button="English")
        self.ana.presses("English")
        self.ana.wait_for(button="Ana")
        self.ana.presses("Ana")
        self.ana.wait_for(kind="media")
        self.ana.wait_for(button="No")
        self.ana.presses("No")
        self.ana.wait_for(text="no offers")

    def pays(self, order_id: str) -> None:
        visit = self.till.identify(phone="+381601234567")["visit"]
        assert self.till.order(order_id, "450.00", visit=visit).status_code == 201

    def statuses(self, kind: str) -> list[str]:
        asked = sa.select(messages.c.status).where(messages.c.kind == kind).order_by(messages.c.id)
        return self.malva.database.read_now(lambda tx: list(tx.execute(asked).scalars()))

    def log(self) -> list[str]:
        asked = sa.select(event_log.c.kind).where(event_log.c.kind.startswith("message_"))
        return self.malva.database.read_now(lambda tx: list(tx.execute(asked).scalars()))

    def a_day_passes(self) -> None:
        self.malva.clock.move(timedelta(hours=25))


@pytest.fixture
def twilio() -> Iterator[TwilioSimulator]:
    with TwilioSimulator() as simulator:
        yield simulator


@pytest.fixture
def templates() -> str:
    return ""


@pytest.fixture
def town(database_url: str, twilio: TwilioSimulator, templates: str) -> Iterator[Town]:
    with ExitStack() as stack:
        malva = stack.enter_context(run(database_url, house(twilio, templates)))
        twilio.webhook(f"{malva.url}/channels/whatsapp/webhook")
        twilio.clock = malva.clock
        till = stack.enter_context(Till(malva.url, malva.add_till()))
        ana = twilio.guest("+381601234567", name="Ana")
        yield Town(malva, twilio, till, ana)


def code(card: Message) -> str:
    found = re.search(r"\b(\d{3}) (\d{3})\b", card.text)
    assert found, card.text
    return found[1] + found[2]


def test_a_card_is_a_picture_with_its_digits_and_below_it_the_live_card_and_refresh(town):
    town.register()
    card = town.ana.wait_for(kind="media")
    visit = town.till.identify(code=code(card))
    assert visit["guest"]["name"] == "Ana"
    below = town.ana.wait_for(button="Refresh")
    assert re.search(r"Live card: http://\S+/card/\S+", below.text)
    town.ana.presses("Refresh")
    again = town.ana.wait_for(kind="media", fresh=True)
    assert code(again) != code(card), "the first is used"
    qr = f"MALVA1.{visit['guest']['id']}.{code(again)}"
    assert again.media == draw(qr), "what Twilio fetched is the card's QR"


def test_a_sender_without_a_number_registers_too(town, twilio):
    nameless = twilio.guest(None, name="Mila", user_id="US.13491208655302741918")
    nameless.starts("cafe_bife")
    nameless.wait_for(button="English")
    nameless.presses("English")
    nameless.wait_for(button="Mila")
    nameless.presses("Mila")
    nameless.wait_for(button="Skip")
    nameless.presses("Skip")
    assert code(nameless.wait_for(kind="media"))


def test_what_an_order_brought_is_told_at_once_within_a_day(town):
    town.register()
    town.pays("1")
    assert town.ana.wait_for(text="+450 points").kind == "text"
    eventually(lambda: town.statuses("points_earned") == ["delivered"])
    town.twilio.reads(town.ana.last)
    eventually(lambda: town.statuses("points_earned") == ["read"])


def test_after_a_day_it_waits_for_the_next_word_and_comes_once(town):
    town.register()
    town.a_day_passes()
    known = len(town.ana.messages)
    for order in ("1", "2", "3"):
        town.pays(order)
    eventually(lambda: town.statuses("points_earned") == ["waiting"] * 3)
    assert town.log() == ["message_waits"] * 3
    assert len(town.ana.messages) == known
    town.ana.says("menu")
    waited = town.ana.wait_for(text="+450 points", fresh=True)
    assert waited.text.count("+450 points") == 3
    assert waited.text.count("Balance:") == 1
    town.ana.says("menu")
    town.ana.wait_for(text="How can I help?", fresh=True)
    assert [m for m in town.ana.fresh if "+450" in m.text] == []


def test_twilios_clock_wins(town):
    """Ours says that there is time, Twilio's has run out: it says so by callback."""
    town.register()
    town.ana.heard_at -= timedelta(hours=25)
    town.pays("1")
    eventually(lambda: town.statuses("points_earned") == ["waiting"])
    assert town.twilio.sent[-1].error == 63016
    town.ana.says("menu")
    assert town.ana.wait_for(text="+450 points", fresh=True).text.count("+450") == 1


class TestWithATemplate:
    @pytest.fixture
    def templates(self, twilio: TwilioSimulator) -> str:
        body = "You got {{points}} at {{cafe}}. Balance: {{balance}}."
        return f'points_earned.en = "{twilio.contents.template(body)}"'

    def test_after_a_day_it_is_the_template(self, town):
        town.register()
        town.a_day_passes()
        town.pays("1")
        told = town.ana.wait_for(kind="template")
        assert told.text == "You got +450 points at BIFE. Balance: 450 points."

    def test_where_twilios_clock_wins_too(self, town):
        town.register()
        town.ana.heard_at -= timedelta(hours=25)
        town.pays("1")
        assert town.ana.wait_for(kind="template")
        eventually(lambda: town.statuses("points_earned") == ["delivered"])


def test_who_has_sent_stop_gets_nothing_until_they_write_again(town):
    town.register()
    town.ana.sends_stop_silently()
    town.pays("1")
    eventually(lambda: town.statuses("points_earned") == ["failed"])
    gone = sa.select(contacts.c.gone_at)
    eventually(lambda: town.malva.database.read_now(lambda tx: tx.scalar(gone)))
    calls = len(town.twilio.calls_of("messages"))
    town.pays("2")
    town.ana.restarts()
    town.ana.wait_for(text="How can I help?", fresh=True)
    assert [m for m in town.ana.fresh if "+450" in m.text] == []
    assert len(town.twilio.calls_of("messages")) == calls + 1


def test_callbacks_in_any_order_twice_and_before_the_id(town, twilio):
    twilio.early, twilio.copies = True, 2
    twilio.story = ("delivered", "queued", "read", "sent", "delivered")
    town.register()
    town.pays("1")
    town.ana.wait_for(text="+450 points")
    eventually(lambda: town.statuses("points_earned") == ["read"])
    assert len([m for m in town.ana.messages if m.kind == "media"]) == 1
    taken = sa.select(sa.func.count()).select_from(seen_events)
    assert town.malva.database.read_now(lambda tx: tx.scalar(taken)) == 4, "each word once"


def test_a_failure_that_passes_is_sent_again(town, twilio):
    town.register()
    twilio.fails_with = [63018]
    town.pays("1")
    eventually(lambda: [m.error for m in twilio.sent if "+450" in m.text] == [63018, None])
    eventually(lambda: town.statuses("points_earned") == ["delivered"])


def test_where_there_are_no_buttons_a_typed_number_picks(town, twilio):
    twilio.contents.refuses = True
    town.ana.starts("cafe_bife")
    town.ana.wait_for(text="2. Srpski")
    town.ana.says("2")
    town.ana.wait_for(text="1. Ana")
    town.ana.says("1")
    assert code(town.ana.wait_for(kind="media"))
    town.ana.wait_for(text="2. Ne")
    town.ana.says("2")
    town.ana.wait_for(text="1. ☕ Moja kartica", fresh=True)
    town.ana.says("2")
    town.ana.wait_for(text="Stanje: 0 poena", fresh=True)
