"""Retiring a key: what an older key of MALVA_SECRET_KEY encrypted is encrypted with the first."""

from __future__ import annotations

import asyncio
import logging

import sqlalchemy as sa

from core.keys import Keys
from core.storage.database import Database
from core.storage.tables import guests, staff
from core.storage.tx import Tx

log = logging.getLogger(__name__)

BATCH = 200
"""Cards at once: some 5 ms, so that no order waits for it."""
PAUSE = 0.05


async def retire_older_keys(database: Database, keys: Keys) -> None:
    """Goes through every card and every second factor once; several nodes at it do each other no
    harm."""
    last: int | None = 0
    lost = await database.write(_second_factors_anew, keys)
    while last is not None:
        last, unread = await database.write(_encrypt_anew, keys, last)
        lost += unread
        await asyncio.sleep(PAUSE)
    if lost:
        log.error("%d secrets are encrypted with a key that MALVA_SECRET_KEY does not hold", lost)
    else:
        log.info("every card is encrypted with the first key: the others may go")


def _encrypt_anew(tx: Tx, keys: Keys, after: int) -> tuple[int | None, int]:
    """A batch of those behind row `after`: (where to go on, or None at the end; how many can't be
    read)."""
    batch = tx.execute(
        sa.select(guests.c.id, guests.c.secret)
        .where(guests.c.id > after, guests.c.erased_at.is_(None), guests.c.merged_into.is_(None))
        .order_by(guests.c.id)
        .limit(BATCH)
    ).all()
    unread = 0
    for row in batch:
        if keys.is_newest(row.secret):
            continue
        try:
            anew = keys.rotate(row.secret)
        except ValueError:
            unread += 1
            continue
        same = sa.and_(guests.c.id == row.id, guests.c.secret == row.secret)
        tx.execute(sa.update(guests).where(same).values(secret=anew))
    return (batch[-1].id if batch else None), unread


def _second_factors_anew(tx: Tx, keys: Keys) -> int:
    """All of them at once: staff are few. How many can't be read."""
    unread = 0
    rows = tx.execute(
        sa.select(staff.c.id, staff.c.totp_secret).where(staff.c.totp_secret.is_not(None))
    ).all()
    for row in rows:
        try:
            anew = keys.rotate(row.totp_secret)
        except ValueError:
            unread += 1
            continue
        same = sa.and_(staff.c.id == row.id, staff.c.totp_secret == row.totp_secret)
        tx.execute(sa.update(staff).where(same).values(totp_secret=anew))
    return unread
