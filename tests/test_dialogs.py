"""Every script of tests/dialogs, in three languages, through the engine and both databases.

The same scripts run through the real adapters in the tests of the channels.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from core.contract import (
    Capabilities,
    Chose,
    Content,
    Inbound,
    Left,
    Option,
    Outbound,
    Returned,
    Said,
    Sender,
    SharedPhone,
    Started,
    Unsupported,
)
from core.keys import Keys
from core.outbox.render import render
from core.storage import tables
from core.storage.database import Database
from core.storage.tx import Tx
from core.talk import House, talk
from tests.support.dialogs import Dialog, Heard, dialogs, play, prepare

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PHONE = "+381601234567"

MESSENGERS = {
    "buttons": Capabilities(options=100, text_length=4096, caption_length=1024, asks_phone=True),
    "numbers": Capabilities(options=2, text_length=1600, caption_length=1024),
    "proves": Capabilities(options=10, text_length=1600, caption_length=1024, proves_phone=True),
}
"""Kinds of channels: one that shows everything, one that shows hardly any option, and one that
knows everybody's phone number."""


@dataclass
class TalkChat:
    """A chat without a messenger: straight into `talk`, straight out of the outbox."""

    database: Database
    sender: Sender
    capabilities: Capabilities
    house: House
    channel: str = "test"
    speaks_first: str | None = None
    seen: int = 0
    shown: list[Option] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    async def start(self, payload: str) -> None:
        await self._do(Started(payload or None))

    async def say(self, text: str) -> None:
        await self._do(Said(text))

    async def press(self, label: str) -> None:
        option = next((o for o in reversed(self.shown) if o.label == label), None)
        if option is None:  # it was shown as a numbered list
            await self.say(label)
        else:
            await self._do(Chose(option.value))

    async def old(self, value: str) -> None:
        await self._do(Chose(value))

    async def share(self, phone: str, own: bool) -> None:
        await self._do(SharedPhone(phone, own))

    async def send(self, what: str) -> None:
        await self._do(Unsupported(what))

    async def leave(self) -> None:
        await self._do(Left())

    async def come_back(self) -> None:
        await self._do(Returned())

    async def heard(self) -> list[Heard]:
        rows = await self.database.read(self._new)
        self.seen = max([self.seen, *(row.id for row in rows)])
        return [await self._as_heard(row) for row in rows if not row.kind.startswith("card_")]

    async def _do(self, content: Content) -> None:
        event = Inbound(event_id=str(next(self.numbers)), sender=self.sender, content=content)
        await self.database.write(talk, self.channel, self.capabilities, event, self.house, NOW)

    def _new(self, tx: Tx) -> list[sa.Row]:
        m = tables.messages.c
        return tx.execute(
            sa.select(m.id, m.kind, m.body).where(m.id > self.seen).order_by(m.id)
        ).all()

    async def _as_heard(self, row: sa.Row) -> Heard:
        message, qr = await self.database.write(self._rendered, row)
        options = [option for line in message.options for option in line]
        assert len(options) <= self.capabilities.options
        self.shown += options
        return Heard(
            text=message.text,
            options=tuple(option.label for option in options),
            links=tuple(link.label for link in message.links),
            asks_phone=message.ask_phone is not None,
            card=qr is not None,
        )

    def _rendered(self, tx: Tx, row: sa.Row) -> tuple[Outbound, str | None]:
        words = {"keys": self.house.keys, "public_url": self.house.public_url, "now": NOW}
        return render(tx, row.kind, row.body, "", **words)


SCRIPTS = [
    pytest.param(dialog, kind, language, id=f"{dialog.name} [{kind} {language}]")
    for dialog in dialogs()
    for kind, capabilities in MESSENGERS.items()
    if dialog.fits(capabilities)
    for language in dialog.languages
]


@pytest.fixture
def keys() -> Keys:
    return Keys(Keys.generate())


async def converse(url: str, dialog: Dialog, kind: str, language: str, keys: Keys) -> None:
    database = Database(url)
    try:
        await database.write(prepare, dialog, language, keys, NOW)
        capabilities = MESSENGERS[kind]
        sender = Sender(
            "chat-1",
            name=dialog.messenger.get("name"),
            language=language,
            phone=PHONE if capabilities.proves_phone else None,
        )
        house = House("BIFE", "https://malva.example", keys)
        await play(dialog, language, TalkChat(database, sender, capabilities, house))
    finally:
        database.close()


@pytest.mark.anyio
@pytest.mark.parametrize(("dialog", "kind", "language"), SCRIPTS)
async def test_on_sqlite(
    sqlite_url: str, dialog: Dialog, kind: str, language: str, keys: Keys
) -> None:
    await converse(sqlite_url, dialog, kind, language, keys)


@pytest.mark.anyio
@pytest.mark.postgres
@pytest.mark.parametrize("dialog", dialogs(), ids=lambda dialog: dialog.name)
async def test_on_postgresql(postgres_url: str, dialog: Dialog, keys: Keys) -> None:
    kind = next(kind for kind, known in MESSENGERS.items() if dialog.fits(known))
    await converse(postgres_url, dialog, kind, dialog.languages[0], keys)
