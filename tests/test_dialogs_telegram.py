"""Every script of tests/dialogs on Telegram: a whole Malva, the real adapter, a simulated Bot API.

Then with what goes wrong between the two in the middle of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

import pytest

from channels.telegram import Telegram
from core.i18n import LANGUAGES
from tests.end_to_end.around import eventually
from tests.simulators.telegram import TelegramSimulator
from tests.support.dialogs import Dialog, five_taps, play, prepare, scripts
from tests.support.running import run
from tests.support.telegram_chat import TelegramChat

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def telegram() -> Iterator[TelegramSimulator]:
    with TelegramSimulator() as simulator:
        yield simulator


def serving(url: str, telegram: TelegramSimulator, mode: str = "polling"):
    """A Malva with this bot and no cafe."""
    toml = f"""
[business]
name = "BIFE"

[channels.telegram]
module = "channels.telegram"
token = "{telegram.token}"
mode = "{mode}"
api_base = "{telegram.url}"
"""
    return run(url, toml, cafes=())


async def converse(url: str, telegram: TelegramSimulator, dialog: Dialog, language: str) -> None:
    with serving(url, telegram) as malva:
        malva.database.write_now(prepare, dialog, language, malva.keys, malva.clock())
        chat = TelegramChat(malva, telegram, dialog.messenger.get("name"), language)
        await play(dialog, language, chat)


def fits(dialog: Dialog) -> bool:
    return dialog.fits(Telegram.capabilities)


@pytest.mark.parametrize(("dialog", "language"), scripts(fits))
async def test_on_telegram(
    sqlite_url: str, telegram: TelegramSimulator, dialog: Dialog, language: str
) -> None:
    await converse(sqlite_url, telegram, dialog, language)


# -- and what goes wrong ---------------------------------------------------------------------------


def failing(*faults: tuple[str, Callable[..., object]]):
    """For one thing that the guest does, the next calls of these names fail so."""

    def trouble(telegram: TelegramSimulator) -> AbstractContextManager[object]:
        for name, fault in faults:
            fault(telegram, name)
        return nullcontext()

    return trouble


TROUBLES = [
    failing(("sendMessage", lambda t, name: t.fail(name, 429, retry_after=1))),
    failing(("sendMessage", lambda t, name: t.drop_answer(name))),
    TelegramSimulator.duplicated,
    failing(
        ("sendMessage", lambda t, name: t.fail(name, 502, html=True)),
        ("getUpdates", lambda t, name: t.reset(name)),
    ),
    failing(
        ("sendPhoto", lambda t, name: t.fail(name, 500)),
        ("answerCallbackQuery", lambda t, name: t.fail(name, 400)),
    ),
    failing(("send*", lambda t, name: t.reset(name, times=2))),
    failing(("sendPhoto", lambda t, name: t.drop_answer(name))),
]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_registration_in_which_everything_goes_wrong(
    sqlite_url: str, telegram: TelegramSimulator, language: str
) -> None:
    dialog = five_taps()
    with serving(sqlite_url, telegram) as malva:
        malva.database.write_now(prepare, dialog, language, malva.keys, malva.clock())
        chat = TelegramChat(malva, telegram, dialog.messenger.get("name"), language)
        chat.troubles = list(TROUBLES)
        try:
            await play(dialog, language, chat)
        finally:
            telegram.heal()
    assert chat.troubles == []


@pytest.mark.parametrize("mode", ["polling", "webhook"])
async def test_what_comes_in_another_order_is_all_answered(
    sqlite_url: str, telegram: TelegramSimulator, mode: str
) -> None:
    with serving(sqlite_url, telegram, mode) as malva:
        malva.database.write_now(prepare, Dialog("order", ()), "en", malva.keys, malva.clock())
        chats = [TelegramChat(malva, telegram, name, "en") for name in ("Ana", "Mila", "Vuk")]
        with telegram.out_of_order():
            for chat in chats:
                chat.guest.starts()
            chats[0].guest.says("/help")
        for chat in chats:
            eventually(chat.all_is_said)
            first, *_ = await chat.heard()
            assert "Which language do you prefer?" in first.text
        await chats[0].press("English")
        (asked,) = await chats[0].heard()
        assert asked.text == "What is your name?"


async def test_five_taps_and_the_card_is_the_next_message(
    sqlite_url: str, telegram: TelegramSimulator
) -> None:
    with serving(sqlite_url, telegram) as malva:
        two_cafes = Dialog("taps", (), cafes=("bife", "zrno"))
        malva.database.write_now(prepare, two_cafes, "sr", malva.keys, malva.clock())
        guest = telegram.guest(first_name="Ana", language_code="sr", phone="+381601234567")
        guest.starts()
        for tap in ("Srpski", "Ana", "📱 Podeli moj broj", "ZRNO"):
            guest.wait_for(button=tap, fresh=True)
            guest.presses(tap)
        card = guest.wait_for(kind="photo", fresh=True)
        assert card is guest.fresh[0]
        assert re.search(r"\b\d{3} \d{3}\b", card.text)
        taps = [message for message in guest.everything if not message.from_bot]
        assert len(taps) == 2, "the first and the shared number are messages, the others presses"
        assert len(telegram.presses) >= 3
