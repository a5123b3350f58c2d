"""Clearing away what nobody needs any more, a batch at a time."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from core.storage.tables import early_receipts, leases, seen_events, wrong_codes
from core.storage.tx import Tx

BATCH = 1000

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
    return more
