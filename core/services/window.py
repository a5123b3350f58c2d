"""A messenger's window: some providers take a message only for a while after the guest's own word.

Outside it there are approved templates or nothing (`SendError.window_closed`). Then what still
matters later waits for the guest's next word and leaves with it, as one message; the rest is
dropped. The provider's clock wins: what it says is kept on the chat (`contact.closed_at`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa

from core.services import eventlog, messages
from core.services.notices import WAITED, WAITING
from core.storage.tables import contacts
from core.storage.tables import messages as rows
from core.storage.tx import Tx

KEPT = timedelta(days=30)
"""So long a message waits for a guest who doesn't write; then it is given up, with an entry."""

_m = rows.c


class Message(Protocol):
    """A row of the outbox, as much of it as is asked for here."""

    id: int
    contact_id: int
    kind: str


def is_open(
    heard_at: datetime | None,
    closed_at: datetime | None,
    window: timedelta | None,
    now: datetime,
) -> bool:
    """Whether any message may be sent to a chat heard last at `heard_at`, which the provider said
    at `closed_at` to be closed; `window` is the channel's."""
    if window is None:
        return True
    if heard_at is None or now >= heard_at + window:
        return False
    return closed_at is None or closed_at < heard_at


def chat(tx: Tx, contact_id: int) -> sa.Row[Any]:
    """The chat's `heard_at` and `closed_at`. It stays locked: of a word that comes meanwhile and
    a message that is set aside, one sees the other."""
    return tx.execute(
        sa.select(contacts.c.heard_at, contacts.c.closed_at)
        .where(contacts.c.id == contact_id)
        .with_for_update()
    ).one()


def shut(tx: Tx, contact_id: int, now: datetime) -> None:
    """The provider calls the window closed."""
    tx.execute(sa.update(contacts).where(contacts.c.id == contact_id).values(closed_at=now))


def set_aside(
    tx: Tx, row: Message, channel: str, taken: sa.Update, error: str, now: datetime
) -> None:
    """`row` can't be sent: it waits, or is dropped by its kind. `taken` updates it where it is
    still the caller's."""
    waits = row.kind in WAITING
    values: dict[str, Any] = {"error": error, "claimed_until": None, "provider_id": None}
    if waits:
        values |= {"status": "waiting", "expires_at": now + KEPT}
    else:
        values |= {"status": "failed"}
    if tx.execute(taken.values(values)).rowcount:
        _log(tx, "message_waits" if waits else "message_failed", row, channel, error, now)


def release(tx: Tx, contact_id: int, channel: str, now: datetime) -> None:
    """The guest has written: all that waited leaves, once, as one message."""
    waiting = sa.and_(_m.contact_id == contact_id, sa.text("status = 'waiting'"))
    found = tx.execute(sa.select(_m.kind, _m.body).where(waiting).order_by(_m.id)).all()
    if not found:
        return
    tx.execute(sa.update(rows).where(waiting).values(status="cancelled", error="sent as one"))
    messages.put(
        tx,
        contact_id=contact_id,
        channel=channel,
        lane=messages.NOTIFICATION,
        kind=WAITED,
        body={"notices": [[row.kind, row.body] for row in found]},
        now=now,
    )


def forget(tx: Tx, contact_id: int) -> None:
    """Nothing waits for this chat any more."""
    tx.execute(
        sa.update(rows)
        .where(_m.contact_id == contact_id, sa.text("status = 'waiting'"))
        .values(status="cancelled")
    )


def give_up(tx: Tx, now: datetime) -> None:
    """What has waited too long is given up, with an entry in the event log."""
    over = tx.execute(
        sa.update(rows)
        .where(sa.text("status = 'waiting'"), _m.expires_at <= now)
        .values(status="expired")
        .returning(_m.id, _m.contact_id, _m.channel, _m.kind)
    ).all()
    for row in over:
        _log(tx, "message_given_up", row, row.channel, "the guest has not written", now)


def _log(tx: Tx, kind: str, row: Message, channel: str, error: str, now: datetime) -> None:
    guest_id = tx.scalar(sa.select(contacts.c.guest_id).where(contacts.c.id == row.contact_id))
    eventlog.log(
        tx,
        kind,
        now,
        guest_id=guest_id,
        channel=channel,
        message=row.id,
        message_kind=row.kind,
        error=error,
    )
