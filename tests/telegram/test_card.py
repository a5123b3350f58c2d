"""The card on Telegram, in a whole Malva: drawn, renewed in place, ended, asked for again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from core.storage.tables import messages
from tests.end_to_end.around import eventually, plugins
from tests.end_to_end.guests import regulars, settle
from tests.simulators.telegram import TelegramSimulator
from tests.simulators.telegram_chats import Guest
from tests.simulators.telegram_messages import Message
from tests.support.running import SECRET_KEY, Running, run


@pytest.fixture
def malva(sqlite_url: str, telegram: TelegramSimulator) -> Iterator[Running]:
    with run(sqlite_url, plugins(telegram), cafes=()) as malva:
        yield malva


@pytest.fixture
def ana(malva: Running, telegram: TelegramSimulator) -> Guest:
    """Has a card."""
    (guest,) = regulars(telegram, 1)
    settle(malva.database, SECRET_KEY, [guest])
    return guest


def digits(card: Message) -> str:
    found = re.search(r"\b\d{3} \d{3}\b", card.text)
    assert found, card.text
    return found[0]


def shown_card(ana: Guest) -> Message:
    ana.says("My card")
    return ana.wait_for(kind="photo", fresh=True)


def half_a_minute_passes(malva: Running) -> None:
    malva.clock.move(timedelta(seconds=30))


def test_a_card_renews_itself_for_two_minutes_and_then_offers_a_new_one(malva, ana):
    card = shown_card(ana)
    assert card.buttons == []
    shown = {(digits(card), card.photo)}
    for turn in range(1, 5):
        half_a_minute_passes(malva)
        eventually(lambda turn=turn: card.edits == turn)
        shown.add((digits(card), card.photo))
    assert len(shown) == 5, "other digits in another picture, each time"
    half_a_minute_passes(malva)
    eventually(lambda: card.buttons == ["Refresh"])
    assert not re.search(r"\d{3} \d{3}", card.text)
    assert ana.messages == [card], "all in one message"
    ana.presses("Refresh")
    again = ana.wait_for(kind="photo", fresh=True)
    assert again is not card
    assert digits(again) not in {code for code, _ in shown}


def test_a_new_card_ends_the_renewals_of_the_one_before(malva, ana):
    first = shown_card(ana)
    second = shown_card(ana)
    half_a_minute_passes(malva)
    eventually(lambda: second.edits == 1)
    assert first.edits == 0


def test_a_card_that_the_guest_deletes_is_left_alone_and_the_chat_goes_on(malva, ana, telegram):
    shown_card(ana).deleted = True
    half_a_minute_passes(malva)
    telegram.wait_for_calls("editMessageMedia")
    half_a_minute_passes(malva)
    card = shown_card(ana)
    half_a_minute_passes(malva)
    eventually(lambda: card.edits == 1)


def test_who_blocks_the_bot_gets_nothing_until_they_write_again(malva, ana, telegram):
    shown_card(ana)
    ana.blocks()
    eventually(lambda: not telegram.updates.pending)
    calls = len(telegram.calls_of("*Message*"))
    malva.clock.move(timedelta(minutes=3))
    eventually(lambda: waiting(malva) == 0)
    assert len(telegram.calls_of("*Message*")) == calls
    ana.unblocks()
    ana.says("My card")
    assert ana.wait_for(kind="photo", fresh=True)


def waiting(malva: Running) -> int:
    """Messages that are still to be sent."""
    open_ones = sa.select(sa.func.count()).where(messages.c.status.in_(["queued", "sending"]))
    return malva.database.read_now(lambda tx: tx.scalar(open_ones))
