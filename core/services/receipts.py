"""What became of messages, as the providers tell: statuses that only climb, whatever order they
come in, even before the send call has told us the message's id."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from core.contract import Receipt
from core.services import window
from core.services.messages import cancel_open, wake_up
from core.storage.tables import contacts, early_receipts, messages
from core.storage.tx import Prepared, Tx

LADDER = ("queued", "sending", "sent", "failed", "delivered", "read")
"""A message that the provider failed to deliver may yet be said to have arrived, not the other way
round."""
LONGEST_BACKOFF = 900.0
"""Seconds after which, at most, a message is sent again that failed at the provider."""

_m = messages.c
_e = early_receipts.c


_ANY_PARKED = Prepared(sa.text("SELECT 1 FROM early_receipt WHERE channel = :on LIMIT 1"))


class Told(NamedTuple):
    """What the provider said of a message; `consequence` is what its failure means besides: again
    (it may be sent once more), closed (services/window.py) or gone."""

    provider_id: str
    status: str
    error: str | None
    consequence: str | None


def take(tx: Tx, channel: str, receipt: Receipt, now: datetime) -> None:
    """Counts a receipt; one of a message that we don't know (yet) is parked."""
    told = _told(receipt)
    if not _count(tx, channel, told, now):
        _one_at_a_time(tx, channel)
        if not _count(tx, channel, told, now):
            _park(tx, channel, told, now)


def settle(tx: Tx, channel: str, provider_ids: Sequence[str], now: datetime) -> None:
    """Counts what was parked for messages whose ids have just been written."""
    _one_at_a_time(tx, channel)
    if tx.run(_ANY_PARKED, on=channel) is None:
        return
    parked = tx.execute(
        sa.delete(early_receipts)
        .where(_e.channel == channel, _e.provider_id.in_(provider_ids))
        .returning(_e.provider_id, _e.status, _e.error, _e.consequence)
    ).all()
    for early in parked:
        told = Told(early.provider_id, early.status, early.error, early.consequence)
        _count(tx, channel, told, now)


def gone(tx: Tx, contact_id: int, now: datetime) -> None:
    """The guest blocked us there: nothing more goes out until they write again."""
    tx.execute(
        sa.update(contacts)
        .where(contacts.c.id == contact_id, contacts.c.gone_at.is_(None))
        .values(gone_at=now)
    )
    cancel_open(tx, contact_id)
    window.forget(tx, contact_id)


def _told(receipt: Receipt) -> Told:
    consequence = None
    if receipt.status == "failed":
        meant = {
            "gone": receipt.contact_gone,
            "closed": receipt.window_closed,
            "again": receipt.retryable,
        }
        consequence = next((name for name, is_meant in meant.items() if is_meant), None)
    return Told(receipt.provider_id, receipt.status, receipt.error, consequence)


def _count(tx: Tx, channel: str, told: Told, now: datetime) -> bool:
    """Raises the status of the message of that id, or has it sent again; False: none is known."""
    known = tx.execute(
        sa.select(_m.id, _m.contact_id, _m.kind, _m.attempts, _m.sent_at, _m.expires_at).where(
            _m.channel == channel,
            _m.provider_id == told.provider_id,
            _m.provider_id.is_not(None),
        )
    ).all()
    for row in known:
        due = now + timedelta(seconds=min(2.0**row.attempts, LONGEST_BACKOFF))
        if told.consequence == "closed":
            _closed(tx, channel, row, told, now)
        elif told.consequence == "again" and (row.expires_at is None or due < row.expires_at):
            _again(tx, channel, row, told, due)
        else:
            lower = sa.update(messages).where(_m.id == row.id, _m.status.in_(_below(told.status)))
            tx.execute(lower.values(status=told.status, error=told.error))
        if told.consequence == "gone":
            gone(tx, row.contact_id, now)
    return bool(known)


def _closed(tx: Tx, channel: str, row: Any, told: Told, now: datetime) -> None:
    """The provider took the message, and then found the window closed. That was news, or the guest
    has written since: it is sent again, as it can be sent now. Where it was known already, this
    was all that could be sent."""
    chat = window.chat(tx, row.contact_id)
    if chat.heard_at is not None and chat.heard_at > row.sent_at:
        _again(tx, channel, row, told, now)
        return
    window.shut(tx, row.contact_id, now)
    if chat.closed_at is not None and chat.closed_at <= row.sent_at:
        window.set_aside(tx, row, channel, _taken(row), f"{told.error}: window closed", now)
    else:
        _again(tx, channel, row, told, now)


def _again(tx: Tx, channel: str, row: Any, told: Told, due: datetime) -> None:
    again = {"status": "queued", "provider_id": None, "sent_at": None, "due_at": due}
    if tx.execute(_taken(row).values(**again, error=told.error)).rowcount:
        tx.ring(wake_up(channel))


def _taken(row: Any) -> sa.Update:
    """The provider took the message and has said nothing better of it."""
    return sa.update(messages).where(_m.id == row.id, _m.status == "sent")


def _park(tx: Tx, channel: str, told: Told, now: datetime) -> None:
    insert = sqlite.insert if tx.is_sqlite else postgresql.insert
    values = {**told._asdict(), "at": now}
    tx.execute(
        insert(early_receipts)
        .values(channel=channel, **values)
        .on_conflict_do_update(
            index_elements=[_e.channel, _e.provider_id],
            set_=values,
            where=_e.status.in_(_below(told.status)),
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
