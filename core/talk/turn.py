"""One event's way through the engine and the services: what all that is done in it shares."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from core.contract import Capabilities, Outbound, Sender
from core.conversation.types import Balance
from core.i18n import Words, best_language, words
from core.phrases import name_in
from core.services import contacts, guests, messages
from core.storage.tx import Tx
from core.talk.house import House


class Turn:
    """`queued`: the outbox's row ids of what leaves at once, in order."""

    def __init__(
        self,
        tx: Tx,
        channel: str,
        capabilities: Capabilities,
        sender: Sender,
        house: House,
        now: datetime,
    ) -> None:
        self.tx, self.channel, self.capabilities, self.now = tx, channel, capabilities, now
        self.house, self.sender = house, sender
        self.contact = contacts.hear(tx, channel, sender, now)
        self.queued: list[int] = []

    @property
    def guest_id(self) -> int:
        assert self.contact.guest_id is not None, "the engine knows who is a guest"
        return self.contact.guest_id

    def become(self, guest_id: int) -> None:
        """The chat is that guest's from now on."""
        contacts.give(self.tx, self.contact.id, guest_id)
        self.contact.guest_id = guest_id

    def say(self, reply: Outbound) -> None:
        row = None
        if self.capabilities.stores:
            row = messages.answer(self.tx, self.contact.id, self.channel, reply, self.now)
        if row is None:
            row = messages.put(
                self.tx,
                contact_id=self.contact.id,
                channel=self.channel,
                lane=messages.ANSWER,
                kind="reply",
                body=messages.to_json(reply),
                now=self.now,
            )
        self.queued.append(row)

    def words(self) -> Words:
        """The guest's; before there is one, the messenger's own."""
        if self.contact.guest_id is None:
            return words(best_language(self.contact.language))
        return words(guests.profile(self.tx, self.guest_id).language)

    def in_words(self, names: Any) -> str:
        return name_in(names, self.words())

    def title_of(self, name: str, capabilities: Capabilities) -> str:
        """A messenger's own name; that of a chat of ours is a word of the guest's language."""
        return self.words().text(capabilities.title or name)

    def balances(self) -> tuple[Balance, ...]:
        return tuple(
            Balance(one.programme, one.balance, one.unit)
            for one in guests.collecting(self.tx, self.guest_id)
        )
