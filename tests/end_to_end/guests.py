"""Guests who joined long ago, put into the database without a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from core.keys import Keys
from core.services import cafes, guests, tills
from core.storage import tables
from core.storage.database import Database
from core.storage.tx import Tx
from tests.simulators.telegram import TelegramSimulator
from tests.simulators.telegram_chats import Guest


def regulars(telegram: TelegramSimulator, number: int) -> list[Guest]:
    """Chats in which the bot was started before."""
    found = []
    for n in range(number):
        guest = telegram.guest(first_name=f"Guest {n}", phone=f"+3816000000{n:02}")
        guest.write(guest.user, "text", "/start", quiet=True)
        found.append(guest)
    return found


def settle(
    database: Database, secret_key: str, chats: Sequence[Guest], *, station: str | None = None
) -> str:
    """The cafe `bife` with these guests, and the token of its till."""

    def write(tx: Tx, now: datetime) -> str:
        cafe_id = cafes.add(tx, "bife", "BIFE", "RSD", "Europe/Belgrade", now)
        keys = Keys(secret_key)
        for chat in chats:
            guest_id = guests.add(
                tx,
                name=chat.user["first_name"],
                language="en",
                cafe_id=cafe_id,
                keys=keys,
                now=now,
                phone=chat.phone,
                phone_proven=True,
            )
            contact = {"channel": "telegram", "address": str(chat.id), "guest_id": guest_id}
            tx.execute(sa.insert(tables.contacts).values(**contact, created_at=now, heard_at=now))
        return tills.add(tx, "bife", "Bar", station, now)

    return database.write_now(write, datetime.now(UTC))
