"""A guest's links, each followed to a card on its own messenger through the real adapters; then the
friend's first order, which gives both their points."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from core.i18n import words
from core.storage import tables
from tests.end_to_end.around import Till
from tests.simulators.telegram import TelegramSimulator
from tests.simulators.twilio import TwilioSimulator
from tests.simulators.viber import ViberSimulator
from tests.support.dialogs import OWN_NAMES, Chat
from tests.support.running import Running, run
from tests.support.telegram_chat import TelegramChat
from tests.support.viber_chat import ViberChat
from tests.support.web_chat import WebChatChat
from tests.support.whatsapp_chat import WhatsAppChat

pytestmark = pytest.mark.anyio

TOML = """
[business]
name = "BIFE"

[pages.portal]
module = "portal"

[channels.telegram]
module = "channels.telegram"
token = "{telegram.token}"
api_base = "{telegram.url}"

[channels.whatsapp]
module = "channels.whatsapp"
account_sid = "{twilio.account_sid}"
auth_token = "{twilio.auth_token}"
from = "{twilio.sender}"
api_base = "{twilio.url}"
content_base = "{twilio.url}"

[channels.viber]
module = "channels.viber"
token = "{viber.token}"
sender_name = "BIFE"
api_base = "{viber.url}"

[channels.webchat]
module = "channels.webchat"
"""


class Town(NamedTuple):
    """A Malva on all four messengers, with two cafes, and the till of the second."""

    malva: Running
    telegram: TelegramSimulator
    twilio: TwilioSimulator
    viber: ViberSimulator
    till: Till


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    url = f"sqlite:///{tmp_path_factory.mktemp('links')}/malva.db"
    with ExitStack() as stack:
        telegram = stack.enter_context(TelegramSimulator())
        twilio = stack.enter_context(TwilioSimulator())
        viber = stack.enter_context(ViberSimulator())
        toml = TOML.format(telegram=telegram, twilio=twilio, viber=viber)
        malva = stack.enter_context(run(url, toml, cafes=("bife", "zrno")))
        twilio.webhook(f"{malva.url}/channels/whatsapp/webhook")
        viber.wait_registered(malva.url)
        till = stack.enter_context(Till(malva.url, malva.add_till("zrno")))
        yield Town(malva, telegram, twilio, viber, till)


async def by_telegram(town: Town, link: str) -> Chat:
    chat = TelegramChat(town.malva, town.telegram, "Vuk", "sr")
    await chat.start(parse_qs(urlsplit(link).query)["start"][0])
    return chat


async def by_whatsapp(town: Town, link: str) -> Chat:
    """The link has filled in what they send, and they have written something before it."""
    chat = WhatsAppChat(town.malva, town.twilio, "Vuk")
    await chat.say("Zdravo! " + parse_qs(urlsplit(link).query)["text"][0])
    return chat


async def by_viber(town: Town, link: str) -> Chat:
    chat = ViberChat(town.malva, town.viber, "Vuk", "sr")
    await chat.start(parse_qs(urlsplit(link).query)["context"][0])
    return chat


async def by_web_chat(town: Town, link: str) -> Chat:
    chat = WebChatChat(town.malva, "sr")
    await chat.follow(link)
    return chat


async def register(chat: Chat, *, cafe: str | None = None) -> None:
    w = words("sr")
    await chat.press(OWN_NAMES["sr"])
    await chat.say("Vuk")
    if not chat.capabilities.proves_phone:
        await chat.press(w.text("Skip"))
    if cafe:
        await chat.press(cafe)
    await chat.press(w.text("No"))


FOLLOW: dict[str, Callable] = {
    "t.me": by_telegram,
    "wa.me": by_whatsapp,
    "viber://": by_viber,
    "/chat?": by_web_chat,
}
"""By what an address has in it."""


async def test_each_link_brings_a_friend_on_its_messenger(town: Town) -> None:
    ana = WebChatChat(town.malva, "sr")
    await ana.start("")
    await register(ana, cafe="ZRNO")
    await ana.say("👥 Pozovi")
    *_, invitation = await ana.heard()
    links = re.findall(r"\S+inv_\w+", invitation.text)
    assert len(links) == len(FOLLOW), invitation.text
    for number, link in enumerate(links, 1):
        follow = next(one for part, one in FOLLOW.items() if part in link)
        friend = await follow(town, link)
        first, *_ = await friend.heard()
        assert "100" in first.text, "what the invitation promises"
        await register(friend)
        *_, card, _offers, _thanks = await friend.heard()
        assert card.card
        code = re.search(r"\b(\d{3}) (\d{3})\b", card.text)
        assert code, card.text
        visit = town.till.identify(code=code[1] + code[2])["visit"]
        answer = town.till.order(f"o{number}", visit=visit).json()
        assert (answer["points"], answer["balance"]) == (450, 550)
        assert town.till.order(f"o{number}", visit=visit).json()["duplicate"]
    *_, last = await ana.heard()
    assert "+100 poena" in last.text
    assert words("sr").text("A friend came by your invitation") in last.text
    await ana.say("pozovi")
    *_, invitation = await ana.heard()
    assert words("sr").points(400, "points") in invitation.text
    assert sorted(_balances(town.malva)) == [400, 550, 550, 550, 550]


def _balances(malva: Running) -> list[int]:
    """What the guests have at the second cafe."""
    a = tables.accounts.c
    asked = sa.select(a.balance).where(a.programme_id == 2)
    return malva.database.read_now(lambda tx: list(tx.execute(asked).scalars()))
