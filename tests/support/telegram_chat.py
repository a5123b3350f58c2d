"""A guest on a simulated Telegram whom scripts (tests/support/dialogs.py) can be played with."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from channels.telegram import Telegram
from tests.end_to_end.around import eventually
from tests.simulators.telegram import TelegramSimulator
from tests.simulators.telegram_messages import Message
from tests.support.dialogs import Heard, all_is_said, without_repeats
from tests.support.running import Running

NAMELESS = "\u2060"
"""A name in which there is nothing to see: Telegram knows nobody without one."""
WRITTEN_OUT = re.compile(r"\n\n(?P<label>[^\n]+): https?://\S+(?=\n\n|$)")
"""A link where it can't be a button: the Malva of a test is at a plain http address."""


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
        return [heard(message) for message in without_repeats(new, lambda message: message.rows)]

    def all_is_said(self) -> bool:
        """Malva has taken every update, and handed over what came of it."""
        if self.telegram.updates.pending:
            return False
        return all_is_said(self.database)


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
