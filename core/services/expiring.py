"""Points past their date are taken off the account, and guests are warned before.

The entry in the ledger comes within a minute of the date; what it will take is spent no more from
the date on (`spending.available`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from core.domain.expiry import WARNED_BEFORE, last_day
from core.services import eventlog, ledger, lots, programmes
from core.services.notices import notify
from core.storage.tables import lots as lot_rows
from core.storage.tx import Tx

BATCH = 100
"""Accounts at once, so that no order waits for it."""
TOGETHER = timedelta(days=7)
"""A warning speaks of what expires so long after the first, too: one a week at most."""

_l = lot_rows.c


class Of(NamedTuple):
    """Whose account in which programme."""

    guest_id: int
    programme_id: int


def sweep(tx: Tx, now: datetime) -> bool:
    """Takes off what is past its date, and warns of what soon will be, for a batch of accounts
    each; True: there may be more."""
    over = _accounts(tx, _l.expires_at <= now)
    for one in over:
        expire(tx, one, now)
    more = len(over) == BATCH
    for number, before in reversed(list(enumerate(WARNED_BEFORE, start=1))):
        due = sa.and_(_l.expires_at > now, _l.expires_at <= now + before, _l.warned < number)
        soon = _accounts(tx, due)
        for one in soon:
            _warn(tx, one, number, now + before + TOGETHER, now)
        more |= len(soon) == BATCH
    return more


def expire(tx: Tx, of: Of, now: datetime) -> None:
    """Takes what is past its date off an account."""
    account = ledger.lock(tx, *of)
    past = sa.and_(_mine(of), _l.expires_at <= now, _l.left_points > 0)
    rows = tx.execute(sa.select(_l.id, _l.left_points).where(past)).all()
    if not rows:
        return
    points = sum(row.left_points for row in rows)
    tx.execute(sa.update(lot_rows).where(past).values(left_points=0))
    ledger.post(
        tx,
        account._replace(expiry_months=None),  # its lots were emptied here
        cafe_id=None,
        kind="expire",
        reference=f"expire:{min(row.id for row in rows)}",
        points=-points,
        because=[{"rule": "expired", "points": -points}],
        now=now,
    )
    eventlog.log(
        tx,
        "points_expired",
        now,
        guest_id=of.guest_id,
        programme=of.programme_id,
        points=points,
    )
    tx.ring(f"guest:{ledger.holder(tx, of.guest_id).public_id}")


def _warn(tx: Tx, of: Of, number: int, until: datetime, now: datetime) -> None:
    """One notice of all that goes until then."""
    soon = sa.and_(_mine(of), _l.left_points > 0, _l.expires_at > now, _l.expires_at <= until)
    rows = tx.execute(
        sa.update(lot_rows)
        .where(soon, _l.warned < number)
        .values(warned=number)
        .returning(_l.expires_at, _l.left_points)
    ).all()
    if not rows:
        return
    zone = lots.zone(tx, of.programme_id)
    days = sorted(last_day(row.expires_at, zone) for row in rows)
    name, unit = programmes.called(tx, of.programme_id)
    facts: dict[str, Any] = {
        "cafe": name,
        "points": sum(row.left_points for row in rows),
        "unit": unit,
        "balance": ledger.balance(tx, *of),
        "first": days[0].isoformat(),
        "last": days[-1].isoformat(),
    }
    notify(tx, of.guest_id, "points_expiring", facts, now)


def _accounts(tx: Tx, due: sa.ColumnElement[bool]) -> Sequence[Of]:
    rows = tx.execute(
        sa.select(_l.guest_id, _l.programme_id)
        .where(due, sa.text("left_points > 0"))
        .distinct()
        .order_by(_l.guest_id, _l.programme_id)
        .limit(BATCH)
    )
    return [Of(row.guest_id, row.programme_id) for row in rows]


def _mine(of: Of) -> sa.ColumnElement[bool]:
    return sa.and_(_l.guest_id == of.guest_id, _l.programme_id == of.programme_id)
