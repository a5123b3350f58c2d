"""What became of messages, as the providers tell: statuses that only climb, whatever order they
come in, even before the send call has told us the message's id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from core.contract import Receipt
from core.services.messages import cancel_open
from core.storage.tables import contacts, early_receipts, messages
from core.storage.tx import Tx

LADDER = ("queued", "sending", "sent", "failed", "delivered", "read")
"""A message that the provider failed to deliver may yet be said to have arrived, not the other way
round."""

_m = messages.c
_e = early_receipts.c


def take(tx: Tx, channel: str, receipt: Receipt, now: datetime) -> None:
    """Counts a receipt; one of a message that we don't know (yet) is parked."""
    chats = _climb(tx, channel, receipt.provider_id, receipt.status, receipt.error)
    if not chats:
        _one_at_a_time(tx, channel)
        chats = _climb(tx, channel, receipt.provider_id, receipt.status, receipt.error)
    if not chats:
        _park(tx, channel, receipt, now)
    if receipt.contact_gone:
        for contact_id in chats:
            gone(tx, contact_id, now)


def settle(tx: Tx, channel: str, provider_ids: Sequence[str]) -> None:
    """Counts what was parked for messages whose ids have just been written."""
    _one_at_a_time(tx, channel)
    parked = tx.execute(
        sa.delete(early_receipts)
        .where(_e.channel == channel, _e.provider_id.in_(provider_ids))
        .returning(_e.provider_id, _e.status, _e.error)
    ).all()
    for early in parked:
        _climb(tx, channel, early.provider_id, early.status, early.error)


def gone(tx: Tx, contact_id: int, now: datetime) -> None:
    """The guest blocked us there: nothing more goes out until they write again."""
    tx.execute(
        sa.update(contacts)
        .where(contacts.c.id == contact_id, contacts.c.gone_at.is_(None))
        .values(gone_at=now)
    )
    cancel_open(tx, contact_id)


def _climb(tx: Tx, channel: str, provider_id: str, status: str, error: str | None) -> Iterable[int]:
    """Raises the status of the messages of that id; whose chats they are ({}: none is known)."""
    known = tx.execute(
        sa.select(_m.id, _m.contact_id).where(
            _m.channel == channel, _m.provider_id == provider_id, _m.provider_id.is_not(None)
        )
    ).all()
    if known:
        tx.execute(
            sa.update(messages)
            .where(_m.id.in_([row.id for row in known]))
            .where(_m.status.in_(_below(status)))
            .values(status=status, error=error)
        )
    return {row.contact_id for row in known}


def _park(tx: Tx, channel: str, receipt: Receipt, now: datetime) -> None:
    insert = sqlite.insert if tx.is_sqlite else postgresql.insert
    values = {"status": receipt.status, "error": receipt.error, "at": now}
    tx.execute(
        insert(early_receipts)
        .values(channel=channel, provider_id=receipt.provider_id, **values)
        .on_conflict_do_update(
            index_elements=[_e.channel, _e.provider_id],
            set_=values,
            where=_e.status.in_(_below(receipt.status)),
        )
    )


def _below(status: str) -> Sequence[str]:
    return LADDER[: LADDER.index(status)]


def _one_at_a_time(tx: Tx, channel: str) -> None:
    """On PostgreSQL a receipt that finds no message and the marking of that message could miss
    each other: both take this lock before they look. SQLite has one writer anyway."""
    if not tx.is_sqlite:
        tx.execute(
            sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"receipts:{channel}")))
        )
