"""What a till asks of a guest: a redemption that it started waits for their yes in a messenger."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from core.storage.tables import redemptions
from core.storage.tx import Tx

_r = redemptions.c


class Asked(NamedTuple):
    """The redemption's public id, and when it was asked."""

    id: str
    asked_at: datetime


def waiting(tx: Tx, guest_id: int, now: datetime) -> Asked | None:
    """The newest question that the guest has not answered, and still can."""
    row = tx.execute(
        sa.select(_r.public_id, _r.created_at)
        .where(_r.guest_id == guest_id, _r.status == "awaiting_guest", _r.expires_at > now)
        .order_by(_r.id.desc())
        .limit(1)
    ).first()
    return None if row is None else Asked(row.public_id, row.created_at)
