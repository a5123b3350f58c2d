"""Clearing away what nobody needs any more, a batch at a time."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from core.storage.tables import (
    contacts,
    early_receipts,
    leases,
    messages,
    seen_events,
    staff_contacts,
    wrong_codes,
)
from core.storage.tx import Tx

BATCH = 1000

FAREWELL = timedelta(hours=1)

KEPT = (
    (seen_events, seen_events.c.at, timedelta(days=7)),  # longer than any provider repeats
    (early_receipts, early_receipts.c.at, timedelta(days=1)),
    (leases, leases.c.expires_at, timedelta(hours=1)),
    (wrong_codes, wrong_codes.c.at, timedelta(hours=1)),
)


def clear(tx: Tx, now: datetime) -> bool:
    """Removes a batch of each; True: there may be more."""
    more = False
    for table, at, kept in KEPT:
        key = sa.tuple_(*table.primary_key.columns)
        old = sa.select(*table.primary_key.columns).where(at < now - kept).limit(BATCH)
        more |= tx.execute(sa.delete(table).where(key.in_(old))).rowcount == BATCH
    return _forget_strangers(tx, now) or more


def _forget_strangers(tx: Tx, now: datetime) -> bool:
    """Chats of whoever was erased: the address was kept for the goodbye alone. Somebody new, even
    of long ago, has a conversation under way and stays, and so does an owner who gets alarms."""
    c, m = contacts.c, messages.c
    on_its_way = sa.exists().where(
        m.contact_id == c.id, m.status.in_(["queued", "sending", "waiting"])
    )
    owners = sa.exists().where(staff_contacts.c.contact_id == c.id)
    gone = tx.execute(
        sa.select(c.id)
        .where(c.guest_id.is_(None), c.state.is_(None), c.heard_at < now - FAREWELL)
        .where(~on_its_way, ~owners)
        .limit(BATCH)
    ).scalars()
    ids = list(gone)
    tx.execute(sa.delete(messages).where(m.contact_id.in_(ids)))
    tx.execute(sa.delete(contacts).where(c.id.in_(ids)))
    return len(ids) == BATCH
