"""What a guest can spend: the balance, without what open redemptions hold and what is past its
date."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from core.services import ledger, lots
from core.storage.tables import redemptions
from core.storage.tx import Tx

_r = redemptions.c

IS_OPEN = sa.text("redemption.status IN ('awaiting_guest', 'held')")
"""As the partial index says it, so that it is used."""


def open_at(now: datetime) -> sa.ColumnElement[bool]:
    """Redemptions that hold their points at that moment."""
    return sa.and_(IS_OPEN, _r.expires_at > now)


def held(tx: Tx, guest_id: int, programme_id: int, now: datetime) -> int:
    """Points that open redemptions hold."""
    found = tx.scalar(
        sa.select(sa.func.coalesce(sa.func.sum(_r.points), 0)).where(
            _r.guest_id == guest_id, _r.programme_id == programme_id, open_at(now)
        )
    )
    return int(found)


def spendable(tx: Tx, account: ledger.Account, now: datetime) -> int:
    """Points of an account that are not past their date, whatever is held of them."""
    if account.expiry_months is None:
        return account.balance
    return account.balance - lots.overdue(tx, account.guest_id, account.programme_id, now)


def available(tx: Tx, guest_id: int, programme_id: int, now: datetime) -> int:
    """What can be picked from; below zero only where the balance is."""
    account = ledger.look(tx, guest_id, programme_id)
    return spendable(tx, account, now) - held(tx, guest_id, programme_id, now)
