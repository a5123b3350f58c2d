"""Redeeming in the chat: what a till asks there, what is picked there, and what it says of both."""

import itertools

import pytest
import sqlalchemy as sa

from core.contract import Capabilities, Chose, Inbound, Outbound, Said, Sender
from core.i18n import words
from core.outbox.render import render
from core.storage import tables
from core.talk import House, talk
from tests.support.counter import Counter
from tests.support.shop import KEYS, MINUTE, NOW

BUTTONS = Capabilities(options=10, text_length=1600, caption_length=1024)
NUMBERS = Capabilities(options=10, text_length=1600, caption_length=1024, numbers=True)
STORES = Capabilities(options=10, text_length=1600, caption_length=1024, stores=True)
HOUSE = House("BIFE", "https://malva.example", KEYS)


class Chat:
    """Ana's chat; she has 250 points. Times are minutes after NOW."""

    def __init__(self, shop: Counter, language: str = "en", name: str = "Ana") -> None:
        self.shop = shop
        self.language = language
        self.capabilities = BUTTONS
        self.guest = shop.collector(250, name=name, language=language)
        self._numbers = itertools.count()
        self._seen = 0

    def says(self, text: str, minute: float = 1) -> list[Outbound]:
        return self._does(Said(text), minute)

    def presses(self, value: str, minute: float = 1) -> list[Outbound]:
        return self._does(Chose(value), minute)

    def heard(self, minute: float = 1) -> list[Outbound]:
        """What has come since it was last asked, as it is shown at `minute`."""
        return [message for message, _ in self._handed_over(minute)]

    def picks(self, *reward_ids: int, minute: float = 1) -> tuple[Outbound, str]:
        """The message with the code, and what its QR says."""
        self.heard()
        for reward_id in reward_ids:
            self._does_quietly(Chose(f"reward:{reward_id}"), minute)
        (*_, (message, qr)) = self._handed_over(minute)
        assert qr is not None, message.text
        return message, qr

    def till_asks(self, minute: float = 0) -> str:
        """The till, which looked her up by phone, starts to redeem a cake; its public id."""
        visit = self.shop.visit(self.guest, minute, proof="phone")
        return self.shop.start(visit.public_id, minute=minute).id

    def _does(self, content, minute: float) -> list[Outbound]:
        self.heard()
        self._does_quietly(content, minute)
        return self.heard(minute)

    def _does_quietly(self, content, minute: float) -> None:
        sender = Sender(f"chat {self.guest}")
        event = Inbound(event_id=str(next(self._numbers)), sender=sender, content=content)
        talk(self.shop.tx, "telegram", self.capabilities, event, HOUSE, NOW + minute * MINUTE)

    def _handed_over(self, minute: float) -> list[tuple[Outbound, str | None]]:
        c, contacts = tables.messages.c, tables.contacts
        mine = sa.select(contacts.c.id).where(contacts.c.guest_id == self.guest)
        query = sa.select(c.id, c.kind, c.body).where(c.contact_id.in_(mine), c.id > self._seen)
        rows = [row for row in self.shop.tx.execute(query.order_by(c.id)) if row.kind != "said"]
        self._seen = max([self._seen, *(row.id for row in rows)])
        where = {"keys": KEYS, "public_url": HOUSE.public_url, "now": NOW + minute * MINUTE}
        return [render(self.shop.tx, r.kind, r.body, self.language, **where) for r in rows]

    def said(self) -> list[str]:
        """Her own words, as a channel that stores keeps them."""
        c = tables.messages.c
        query = sa.select(c.body).where(c.kind == "said").order_by(c.id)
        return [body["text"] for body in self.shop.tx.execute(query).scalars()]


def newest(shop: Counter) -> str:
    """The last redemption's public id."""
    r = tables.redemptions.c
    return shop.tx.scalar(sa.select(r.public_id).order_by(r.id.desc()).limit(1))


def by_qr(shop: Counter, qr: str, minute: float = 2):
    return shop.scan(qr, minute=minute, proof="qr")


@pytest.fixture
def shop(tx):
    return Counter(tx)


@pytest.fixture
def ana(shop):
    return Chat(shop)


# -- picked in the chat ----------------------------------------------------------------------------


def test_one_tap_gives_the_qr_and_the_code_that_a_till_takes(shop, ana):
    message, qr = ana.picks(shop.cake)
    held = by_qr(shop, qr)
    assert [given.name for given in held.rewards] == ["Cake"]
    assert message.kind == "redemption"
    assert message.picture.alt == "⭐ Cake"
    assert "100 points are held for it" in message.text
    assert "good until 13:11" in message.text, "where the cafe is"
    assert shop.confirm(held.id)["points"] == -100
    (enjoy,) = ana.heard()
    assert "Enjoy it: Cake" in enjoy.text


def test_the_code_is_typed_where_nothing_can_be_scanned(shop, ana):
    message, _ = ana.picks(shop.cake)
    code = next(line for line in message.text.splitlines() if line.startswith("Code: "))
    assert shop.scan(code.removeprefix("Code: "), minute=2).points == 100


def test_a_second_tap_holds_nothing_more(shop, ana):
    message, qr = ana.picks(shop.cake)
    again, same = ana.picks(shop.cake, minute=2)
    assert (again.text, same) == (message.text, qr)
    assert shop.available(ana.guest, 2) == 150


def test_another_reward_is_another_code(shop, ana):
    _, cake = ana.picks(shop.cake)
    _, coffee = ana.picks(shop.coffee)
    assert cake != coffee
    assert shop.available(ana.guest, 1) == 110


def test_cancel_is_pressed_or_typed(shop, ana):
    message, _ = ana.picks(shop.cake)
    ((cancel,),) = [row[:1] for row in message.options]
    (told,) = ana.presses(cancel.value)
    assert "Cancelled: 100 points are free again." in told.text
    ana.picks(shop.cake, minute=2)
    (told,) = ana.says("Cancel", minute=3)
    assert "Cancelled: 100 points are free again." in told.text
    assert shop.available(ana.guest, 3) == 250


def test_a_typed_cancel_without_a_code_is_not_understood(ana):
    (told,) = ana.says("cancel")
    assert "I didn't understand that." in told.text


def test_handed_over_too_late_it_shows_no_code(shop, ana):
    ana._does_quietly(Chose(f"reward:{shop.cake}"), 1)
    ((message, qr),) = ana._handed_over(minute=12)
    assert (qr, message.picture) == (None, None)
    assert message.text == "This code is no longer good: Cake"


def test_what_a_till_has_confirmed_is_neither_shown_nor_cancelled_any_more(shop, ana):
    _, qr = ana.picks(shop.cake)
    held = by_qr(shop, qr)
    shop.confirm(held.id, minute=2)
    for value in (f"redeem:show:{held.id}", f"redeem:cancel:{held.id}"):
        (told,) = ana.presses(value, minute=3)
        assert told.text == "This was redeemed already."
    assert shop.balance(ana.guest) == 150


def test_nobody_shows_or_cancels_what_another_picked(shop, ana):
    by_qr(shop, ana.picks(shop.cake)[1])
    mila = Chat(shop, name="Mila")
    held = newest(shop)
    for what in ("show", "cancel", "yes", "no"):
        (told,) = mila.presses(f"redeem:{what}:{held}")
        assert told.text == "This isn't there any more."
    assert shop.status(held) == "held"


def test_a_basket_forgets_what_is_sold_out_meanwhile(shop, ana):
    ana.says("rewards")
    ana.presses("basket")
    ana.presses(f"basket:{shop.cake}")
    w = tables.rewards.c
    shop.tx.execute(sa.update(tables.rewards).where(w.id == shop.cake).values(stock=0))
    (basket,) = ana.presses(f"basket:{shop.coffee}")
    assert "✓ Coffee: 40 points" in basket.text
    assert "Cake" not in basket.text


def test_more_than_there_is_never_gets_into_the_basket(shop, ana):
    third = shop.reward("Breakfast", 180)
    ana.presses("basket")
    ana.presses(f"basket:{shop.cake}")
    (basket,) = ana.presses(f"basket:{third}")
    assert "Left to pick from: 150 points" in basket.text


def test_points_that_are_held_are_missing_elsewhere(shop, ana):
    shop.reward("Breakfast", 180)
    ana.picks(shop.cake)
    (listed,) = ana.says("rewards")
    assert "Balance: 250 points" in listed.text
    assert "🔒 Breakfast: 180 points (30 points to go)" in listed.text


def test_what_it_is_about_is_said_below_its_name(shop, ana):
    shop.reward("Tea", 30, texts={"en": "Any leaf", "sr": "Bilo koji"})
    (listed,) = ana.says("rewards")
    assert "✅ Tea: 30 points\nAny leaf\n" in listed.text


# -- asked by a till -------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "sr", "ru"])
@pytest.mark.parametrize(("answer", "status"), [("Yes", "held"), ("No", "cancelled")])
def test_a_till_s_question_is_answered_by_its_option_or_in_words(shop, language, answer, status):
    w = words(language)
    for typed in (False, True):
        ana = Chat(shop, language)
        asked = ana.till_asks()
        (question,) = ana.heard()
        yes, no = (option for row in question.options for option in row)
        assert (yes.label, no.label) == (w.text("Yes"), w.text("No"))
        option = yes if answer == "Yes" else no
        (told,) = ana.says(option.label.lower()) if typed else ana.presses(option.value)
        assert shop.status(asked) == status
        thanks = "Thank you! The till can go on now."
        refused = "All right, no points are taken."
        assert told.text == w.text(thanks if answer == "Yes" else refused)
        assert told.menu


def test_after_yes_the_till_confirms(shop, ana):
    asked = ana.till_asks()
    ana.says("yes")
    assert shop.confirm(asked, minute=2)["points"] == -100
    assert any("Enjoy it: Cake" in message.text for message in ana.heard())


def test_yes_goes_to_the_question_that_was_asked_last(shop, ana):
    ana.presses("set:offers", minute=-2)
    asked = ana.till_asks()
    ana.says("yes")
    assert shop.status(asked) == "held"
    offers = sa.select(tables.guests.c.offers).where(tables.guests.c.id == ana.guest)
    assert shop.tx.scalar(offers) is False


def test_a_question_asked_after_the_till_s_gets_its_own_answer(shop, ana):
    asked = ana.till_asks()
    ana.presses("set:offers", minute=1)
    ana.says("yes", minute=2)
    assert shop.status(asked) == "awaiting_guest"
    ana.says("yes", minute=3)
    assert shop.status(asked) == "held", "now the till's is the only one that is open"


def test_the_question_before_is_asked_again_once_the_till_has_its_answer(shop, ana):
    ana.presses("set:name", minute=-2)
    ana.till_asks()
    (told,) = ana.says("yes")
    assert told.text == "Thank you! The till can go on now.\n\nWhat is your name?"


def test_a_number_answers_only_what_was_asked_last(shop, ana):
    ana.capabilities = NUMBERS
    asked = ana.till_asks()
    ana.says("menu", minute=1)
    ana.says("1", minute=2)
    assert shop.status(asked) == "awaiting_guest", "that was the menu's first option"
    ana.till_asks(minute=3)
    ana.says("1", minute=4)
    assert shop.status(newest(shop)) == "held"


def test_an_answer_that_comes_too_late_says_so(shop, ana):
    asked = ana.till_asks()
    (told,) = ana.presses(f"redeem:yes:{asked}", minute=11)
    assert told.text == "The time is up: 100 points are free again."
    (told,) = ana.says("yes", minute=12)
    assert "I didn't understand that." in told.text


def test_yes_on_what_was_confirmed_long_ago_changes_nothing(shop, ana):
    asked = ana.till_asks()
    ana.presses(f"redeem:yes:{asked}")
    shop.confirm(asked, minute=2)
    for answer in ("yes", "no"):
        (told,) = ana.presses(f"redeem:{answer}:{asked}", minute=3)
        assert told.text == "This was redeemed already."
    assert shop.status(asked) == "confirmed"


def test_pressed_options_stand_in_the_history_of_a_chat_that_has_one(shop, ana):
    ana.capabilities = STORES
    asked = ana.till_asks()
    ana.presses(f"redeem:no:{asked}")
    ana.presses("rewards")
    ana.presses(f"reward:{shop.cake}")
    ana.presses(f"redeem:cancel:{newest(shop)}")
    assert ana.said() == ["No", "⭐ Rewards", "Cake", "Cancel"]
