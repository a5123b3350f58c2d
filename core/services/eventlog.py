"""The log of what happened, for people: never a phone number, a name or a token in it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.storage.tables import event_log
from core.storage.tx import Tx


def log(
    tx: Tx,
    kind: str,
    now: datetime,
    cafe_id: int | None = None,
    guest_id: int | None = None,
    till_id: int | None = None,
    staff_id: int | None = None,
    **data: Any,
) -> None:
    """Notes that `kind` (`till_locked`, `guest_erased` …) happened; `data` is what else to know."""
    tx.execute(
        sa.insert(event_log).values(
            at=now,
            kind=kind,
            cafe_id=cafe_id,
            guest_id=guest_id,
            till_id=till_id,
            staff_id=staff_id,
            data=data,
        )
    )
