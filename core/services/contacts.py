"""Chats: addresses on the channels, whose they are, and where each conversation stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from core.contract import Sender
from core.domain.names import shorten_name
from core.domain.phones import told_phone
from core.storage.tables import contacts
from core.storage.tx import Prepared, Tx
from core.storage.types import from_micros, to_micros

_c = contacts.c

_FIND = Prepared(
    sa.select(_c.id, _c.guest_id, _c.name, _c.language, _c.phone, _c.state, _c.heard_at)
    .where(_c.channel == sa.bindparam("on"), _c.address == sa.bindparam("at"))
    .with_for_update()
)
_SAVE = Prepared(
    sa.update(contacts)
    .where(_c.id == sa.bindparam("contact"))
    .values(
        name=sa.bindparam("name"),
        language=sa.bindparam("language"),
        phone=sa.bindparam("phone"),
        state=sa.bindparam("state"),
        heard_at=sa.bindparam("heard_at"),
        gone_at=sa.null(),
    )
)


@dataclass(slots=True)
class Contact:
    """A chat while one event of it is worked on. `phone` only if the messenger proved it;
    `heard_at`: before this event."""

    id: int
    guest_id: int | None
    name: str | None
    language: str | None
    phone: str | None
    state: dict[str, Any] | None
    heard_at: datetime | None


def hear(tx: Tx, channel: str, sender: Sender, now: datetime) -> Contact:
    """The sender's chat, made if it is new, with what the messenger tells of them now.

    It stays locked until the transaction ends: two quick messages are worked on one by one.
    `save` keeps it.
    """
    contact = _find(tx, channel, sender.address)
    if contact is None:
        _add(tx, channel, sender.address, now)
        contact = _find(tx, channel, sender.address)
        assert contact is not None
    contact.name = shorten_name(sender.name) or contact.name
    contact.language = _tag(sender.language) or contact.language
    if sender.phone:
        contact.phone = told_phone(sender.phone) or contact.phone
    return contact


def save(tx: Tx, contact: Contact, state: Mapping[str, Any] | None, now: datetime) -> None:
    """Keeps what was heard, and where the conversation stands; whoever writes is not gone."""
    tx.run(
        _SAVE,
        contact=contact.id,
        name=contact.name,
        language=contact.language,
        phone=contact.phone,
        state=None if state is None else orjson.dumps(state).decode(),
        heard_at=to_micros(now),
    )


def leave(tx: Tx, channel: str, address: str, now: datetime) -> None:
    """The guest blocked us there, or is reported gone: nothing is sent until they write again."""
    tx.execute(
        sa.update(contacts)
        .where(_c.channel == channel, _c.address == address, _c.gone_at.is_(None))
        .values(gone_at=now)
    )


def come_back(tx: Tx, channel: str, address: str) -> None:
    """The guest unblocked us."""
    tx.execute(
        sa.update(contacts).where(_c.channel == channel, _c.address == address).values(gone_at=None)
    )


def give(tx: Tx, contact_id: int, guest_id: int) -> None:
    """The chat is `guest_id`'s from now on."""
    tx.execute(sa.update(contacts).where(_c.id == contact_id).values(guest_id=guest_id))


def _find(tx: Tx, channel: str, address: str) -> Contact | None:
    row = tx.run(_FIND, on=channel, at=address)
    if row is None:
        return None
    id_, guest_id, name, language, phone, state, heard_at = row
    return Contact(
        id=id_,
        guest_id=guest_id,
        name=name,
        language=language,
        phone=phone,
        state=orjson.loads(state) if state else None,
        heard_at=from_micros(heard_at) if heard_at else None,
    )


def _add(tx: Tx, channel: str, address: str, now: datetime) -> None:
    """Two first messages at once make one chat."""
    insert = sqlite.insert if tx.is_sqlite else postgresql.insert
    tx.execute(
        insert(contacts)
        .values(channel=channel, address=address, stored=0, created_at=now, heard_at=now)
        .on_conflict_do_nothing(index_elements=["channel", "address"])
    )


def _tag(language: str | None) -> str | None:
    """An IETF tag as messengers give it; None for what is none."""
    if not language or len(language) > 35 or not language.replace("-", "").isalnum():
        return None
    return language if language.isascii() else None
