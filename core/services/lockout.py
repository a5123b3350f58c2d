"""The lock of a till: ten wrong codes within a minute, and it identifies nobody for the next.

One guess in a hundred or so names somebody when thousands hold cards, so guessing has to be slow
(RFC 4226, 7.3 throttles the device for the same reason).
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import sqlalchemy as sa

from core.services import eventlog
from core.services.errors import Locked
from core.services.tills import Till
from core.storage.tables import tills, wrong_codes
from core.storage.tx import Tx

WRONG_CODES = 10
WITHIN = timedelta(minutes=1)
LOCKED_FOR = timedelta(minutes=1)


def refusal(tx: Tx, till: Till, now: datetime) -> Locked | None:
    """What to answer while the till is locked; None while it is not. From here to the end of the
    transaction the till is ours alone, so no two wrong codes are counted as one."""
    until: datetime | None = tx.scalar(
        sa.select(tills.c.locked_until).where(tills.c.id == till.id).with_for_update(key_share=True)
    )
    if until is None or until <= now:
        return None
    seconds = math.ceil((until - now).total_seconds())
    return Locked(f"Too many wrong codes at this till. Try again in {seconds} s.", seconds)


def count_wrong_code(tx: Tx, till: Till, now: datetime) -> None:
    """Notes a wrong code; the tenth within a minute locks the till and clears the count."""
    at_this_till = wrong_codes.c.till_id == till.id
    tx.execute(sa.delete(wrong_codes).where(at_this_till, wrong_codes.c.at <= now - WITHIN))
    tx.execute(sa.insert(wrong_codes).values(till_id=till.id, at=now))
    count = tx.scalar(sa.select(sa.func.count()).select_from(wrong_codes).where(at_this_till))
    if count < WRONG_CODES:
        return
    tx.execute(sa.delete(wrong_codes).where(at_this_till))
    tx.execute(sa.update(tills).where(tills.c.id == till.id).values(locked_until=now + LOCKED_FOR))
    eventlog.log(
        tx, "till_locked", now, cafe_id=till.cafe.id, till_id=till.id, wrong_codes=WRONG_CODES
    )
