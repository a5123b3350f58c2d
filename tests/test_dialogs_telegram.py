"""Every script of tests/dialogs on Telegram: a whole Malva, the real adapter, a simulated Bot API.

Then with what goes wrong between the two in the middle of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import pytest
import sqlalchemy as sa

from channels.telegram import Telegram
from core.i18n import LANGUAGES
from core.services.messages import ANSWER, NOTIFICATION
from core.storage.tables import messages
from tests.end_to_end.around import eventually
from tests.simulators.telegram import TelegramSimulator
from tests.simulators.telegram_messages import Message
from tests.support.dialogs import Dialog, Heard, dialogs, play, prepare
from tests.support.running import Running, run

pytestmark = pytest.mark.anyio

NAMELESS = "\u2060"
"""A name in which there is nothing to see: Telegram knows nobody without one."""
WRITTEN_OUT = re.compile(r"\n\n(?P<label>[^\n]+): https?://\S+(?=\n\n|$)")
"""A link where it can't be a button: the Malva of a test is at a plain http address."""


@pytest.fixture(scope="module")
def telegram() -> Iterator[TelegramSimulator]:
    with TelegramSimulator() as simulator:
        yield simulator


class TelegramChat:
    """`tests.support.dialogs.Chat` of a guest on Telegram."""

    capabilities = Telegram.capabilities
    speaks_first = None

    def __init__(
        self, malva: Running, telegram: TelegramSimulator, name: str | None, language: str
    ) -> None:
        self.malva = malva
        self.database = malva.database
        self.telegram = telegram
        self.guest = telegram.guest(first_name=name or NAMELESS, language_code=language)
        self.seen = 0
        self.troubles: list[Callable[[TelegramSimulator], AbstractContextManager[object]]] = []
        """What goes wrong with each thing that the guest does, one after the other."""

    async def start(self, payload: str) -> None:
        self.act(lambda: self.guest.starts(payload or None))

    async def say(self, text: str) -> None:
        self.act(lambda: self.guest.says(text))

    async def press(self, label: str) -> None:
        self.act(lambda: self.guest.presses(label))

    async def old(self, value: str) -> None:
        self.act(lambda: self.guest.presses_data(value))

    async def share(self, phone: str, own: bool) -> None:
        self.act(lambda: self.guest.shares_contact(phone, own=own))

    async def send(self, what: str) -> None:
        self.act(self.guest.sends_sticker)

    async def leave(self) -> None:
        self.act(self.guest.blocks)

    async def come_back(self) -> None:
        self.act(self.guest.unblocks)

    def act(self, act: Callable[[], object]) -> None:
        trouble = self.troubles.pop(0) if self.troubles else nullcontext
        with trouble(self.telegram):
            act()
        eventually(self.all_is_said, what=f"an answer\n{self.guest.transcript()}")

    async def heard(self) -> list[Heard]:
        new = [message for message in self.guest.messages if message.id > self.seen]
        self.seen = max([self.seen, *(message.id for message in new)])
        return [heard(message) for message in without_repeats(new)]

    def all_is_said(self) -> bool:
        """Malva has taken every update, and handed over what came of it."""
        if self.telegram.updates.pending:
            return False
        on_the_way = sa.select(sa.func.count()).where(
            messages.c.status.in_(["queued", "sending"]),
            messages.c.lane.in_([ANSWER, NOTIFICATION]),
        )
        return self.malva.database.read_now(lambda tx: tx.scalar(on_the_way)) == 0


def without_repeats(new: Sequence[Message]) -> list[Message]:
    """A message whose sending got no answer is sent again: the guest may see it twice."""

    def shown(message: Message) -> object:
        return message.text.partition("\n")[0], message.rows  # a card says how long it is good

    return [m for n, m in enumerate(new) if n == 0 or shown(m) != shown(new[n - 1])]


def heard(message: Message) -> Heard:
    """A message as the scripts speak of it."""
    buttons = [button for row in rows(message) for button in row]
    links = [b["text"] for b in buttons if "url" in b or "web_app" in b]
    return Heard(
        text=WRITTEN_OUT.sub("", message.text),
        options=tuple(b["text"] for b in buttons if not b.keys() & {"url", "web_app", ASKS}),
        links=(*links, *(found["label"] for found in WRITTEN_OUT.finditer(message.text))),
        asks_phone=any(ASKS in button for button in buttons),
        card=message.photo is not None,
    )


ASKS = "request_contact"


def rows(message: Message) -> list[list[dict]]:
    markup = message.markup or {}
    return markup.get("inline_keyboard") or markup.get("keyboard") or []


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


SCRIPTS = [
    pytest.param(dialog, language, id=f"{dialog.name} [{language}]")
    for dialog in dialogs()
    if dialog.fits(Telegram.capabilities)
    for language in dialog.languages
]


@pytest.mark.parametrize(("dialog", "language"), SCRIPTS)
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
    (dialog,) = [
        one for one in dialogs() if one.name.endswith("a card in five taps, the phone shared")
    ]
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
