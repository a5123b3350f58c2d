"""Viber and a whole Malva: the webhook, the welcome, who may be written to, and what goes wrong."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
import sqlalchemy as sa

from core.services import connecting
from core.storage.tables import contacts, messages
from core.testkit.running import Running
from tests.end_to_end.around import eventually
from tests.simulators import viber_rules as rules
from tests.simulators.viber import ViberSimulator
from tests.simulators.viber_guests import Guest
from tests.viber.around import serving

DIGITS = re.compile(r"\b\d{3} \d{3}\b")


@pytest.fixture
def viber() -> Iterator[ViberSimulator]:
    with ViberSimulator() as simulator:
        yield simulator


@pytest.fixture
def malva(sqlite_url: str, viber: ViberSimulator) -> Iterator[Running]:
    with serving(sqlite_url, viber) as malva:
        viber.wait_registered(malva.url)
        yield malva


@pytest.fixture
def ana(viber: ViberSimulator, malva: Running) -> Guest:
    return viber.guest("Ana", language="en", phone="+381601234567")


def registers(guest: Guest) -> None:
    guest.opens()
    for press in ("English", guest.name, "📱 Share my number"):
        guest.wait_for(button=press, fresh=True)
        guest.presses(press)
    guest.wait_for(kind="picture", fresh=True)
    guest.wait_for(button="No", fresh=True)
    guest.presses("No")
    guest.wait_for(button="☕ My card", fresh=True)


def statuses(malva: Running) -> list[str]:
    asked = sa.select(messages.c.status).order_by(messages.c.id)
    return list(malva.database.read_now(lambda tx: tx.execute(asked).scalars().all()))


def gone(malva: Running, guest: Guest) -> bool:
    asked = sa.select(contacts.c.gone_at).where(contacts.c.address == guest.id)
    return malva.database.read_now(lambda tx: tx.scalar(asked)) is not None


# -- the webhook -----------------------------------------------------------------------------------


def test_the_webhook_answers_while_set_webhook_is_still_open(viber, malva):
    proof = viber.deliveries[0]
    assert (proof.status, proof.answer) == (200, "")
    assert viber.webhook == f"{malva.url}/channels/viber/webhook"


def test_where_viber_does_not_take_the_address_all_else_is_served(viber, sqlite_url):
    viber.https_only = True
    with serving(sqlite_url, viber) as malva:
        viber.wait_for_calls("set_webhook", 2)
        assert httpx2.get(malva.url).status_code == 200
        viber.https_only = False
        viber.wait_registered(malva.url)


def test_what_viber_did_not_sign_is_refused(viber, malva):
    viber.token, known = "another", viber.token
    stranger = viber.guest("Eva")
    (first, *_) = viber.wait_answered(stranger.says("hi"))
    viber.token = known
    assert first.status == 401
    assert statuses(malva) == []


# -- who may be written to -------------------------------------------------------------------------


def test_five_taps_and_the_card_is_the_next_message(viber, ana):
    registers(ana)
    welcome, *_ = ana.everything
    assert welcome.welcome
    assert welcome.labels == ["English", "Srpski", "Русский", "Privacy notice"]
    (card,) = [message for message in ana.messages if message.kind == "picture"]
    assert DIGITS.search(card.text)
    assert card.picture is not None
    assert card.picture.startswith(b"\x89PNG")
    assert card.labels == ["Refresh", "Menu", "Live card"]
    assert [message for message in ana.everything if message.failed] == []


def test_to_a_stranger_nothing_is_sent_before_they_write(viber, ana):
    viber.wait_answered(ana.opens("cafe_bife"))
    assert [message.welcome for message in ana.messages] == [True]
    ana.presses("English")
    ana.wait_for(text="What is your name?")
    assert len(viber.calls_of("send_message")) == 1


def test_a_code_of_another_messenger_is_welcomed_in_the_response(viber, malva, ana):
    """The card, which can't ride in it, is refused to who has not written; they ask for it."""
    registers(ana)
    asked = sa.select(contacts.c.guest_id, contacts.c.id).where(contacts.c.address == ana.id)
    chat = malva.database.read_now(lambda tx: tx.execute(asked).one())
    code = malva.database.write_now(connecting.offer, *chat, malva.clock())
    other = viber.guest("Anita")
    viber.wait_answered(other.opens(f"link_{code}"))
    assert other.last.welcome
    assert "Welcome back, Ana!" in other.last.text
    eventually(lambda: gone(malva, other))
    other.presses("☕ My card")
    other.wait_for(kind="picture")
    assert not gone(malva, other)


def test_who_unsubscribes_gets_nothing_until_they_write(viber, malva, ana):
    registers(ana)
    viber.wait_answered(ana.unsubscribes())
    assert gone(malva, ana)
    viber.wait_answered(ana.subscribes())
    assert not gone(malva, ana)
    ana.subscribed = False  # and this time nobody says so
    before = len(ana.messages)
    viber.wait_answered(viber.deliver("message", ana, sender=ana.as_json(), message=SAID))
    eventually(lambda: gone(malva, ana))
    assert len(ana.messages) == before
    ana.says("menu")
    ana.wait_for(text="How can I help?", fresh=True)


SAID = {"type": "text", "text": "menu"}


def test_the_link_of_a_cafe_opens_the_chat_with_it(viber, malva, ana):
    link = eventually(lambda: re.search(r"viber:[^\"]+", httpx2.get(malva.url).text))
    asked = parse_qs(urlsplit(html.unescape(link[0])).query)
    assert asked["chatURI"] == [viber.uri]
    viber.wait_answered(ana.opens(asked["context"][0]))
    state = sa.select(contacts.c.state).where(contacts.c.address == ana.id)
    assert malva.database.read_now(lambda tx: tx.scalar(state))["cafe"] == "bife"


# -- what goes wrong -------------------------------------------------------------------------------


def test_what_comes_twice_is_answered_once(viber, malva, ana):
    viber.copies = 3
    viber.wait_answered(ana.opens())
    assert len([message for message in ana.messages if message.welcome]) == 1
    viber.wait_answered(ana.says("English"))
    ana.wait_for(text="What is your name?")
    eventually(lambda: "queued" not in statuses(malva))
    assert len(viber.calls_of("send_message")) == 1


def test_what_comes_in_another_order_is_all_answered(viber, malva):
    chats = [viber.guest(name) for name in ("Ana", "Mila", "Vuk")]
    with viber.out_of_order():
        for guest in chats:
            guest.opens()
        chats[0].says("help")
    for guest in chats:
        guest.wait_for(text="Which language do you prefer?")


def test_a_welcome_whose_answer_got_lost_is_not_said_twice(viber, malva, ana):
    """Viber asks again, and gets a 200 without a word; the guest's next word is answered."""
    viber.wait_answered(ana.opens())
    ana.everything.clear()
    ana.says("hi")
    ana.wait_for(text="Which language do you prefer?")


FAULTS = {
    "a proxy's page": lambda viber: viber.fail("send_message", 502, html=True),
    "reset": lambda viber: viber.reset("send_message"),
    "too many": lambda viber: viber.refuse(12),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_viber_did_not_take_is_sent_again(viber, malva, ana, fault):
    viber.wait_answered(ana.opens())
    FAULTS[fault](viber)
    ana.presses("English")
    ana.wait_for(text="What is your name?", timeout=15)


def test_what_became_of_a_message_is_known_however_early_it_is_told(viber, malva, ana):
    viber.early = True
    viber.story = ("seen", "delivered")
    viber.wait_answered(ana.opens())
    ana.presses("English")
    eventually(lambda: statuses(malva) == ["sent", "read"])


def test_a_picture_that_can_not_be_loaded_has_failed_and_nothing_else(
    viber, malva, ana, monkeypatch
):
    registers(ana)
    monkeypatch.setattr(rules, "LARGEST_PICTURE", 10)
    ana.says("☕ My card")
    eventually(lambda: statuses(malva)[-1] == "failed")
    assert not gone(malva, ana)
    assert ana.everything[-1].failed
