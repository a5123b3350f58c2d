"""What only one node may do at a time: sending on a channel, polling. A hold lapses by itself.

`until` is by the nodes' clocks, so nodes need the usual clock service; being seconds apart only
makes a take-over that much later.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from core.storage.tables import holds
from core.storage.tx import Tx

TTL = timedelta(seconds=15)

_h = holds.c


def take(tx: Tx, name: str, holder: str, now: datetime, *, steal: bool = False) -> int | None:
    """The fencing number of a hold that is `holder`'s now, or None while it is another's. `steal`
    takes it from whoever has it."""
    insert = sqlite.insert if tx.is_sqlite else postgresql.insert
    free = sa.true() if steal else sa.or_(_h.until <= now, _h.holder == holder)
    fence: int | None = tx.scalar(
        insert(holds)
        .values(name=name, holder=holder, fence=1, until=now + TTL)
        .on_conflict_do_update(
            index_elements=[_h.name],
            set_={"holder": holder, "fence": _h.fence + 1, "until": now + TTL},
            where=free,
        )
        .returning(_h.fence)
    )
    return fence


def renew(tx: Tx, name: str, fence: int, now: datetime) -> bool:
    """Holds on for another TTL; False: it has been taken over."""
    renewed = tx.execute(
        sa.update(holds).where(_h.name == name, _h.fence == fence).values(until=now + TTL)
    )
    return renewed.rowcount == 1


def current(tx: Tx, name: str, fence: int) -> bool:
    """Whether nobody has taken over since `fence` was given out."""
    return bool(tx.scalar(sa.select(_h.fence).where(_h.name == name)) == fence)


def release(tx: Tx, name: str, fence: int, now: datetime) -> None:
    """Lets go, so that the next need not wait for the TTL. The row stays: its number must grow."""
    tx.execute(sa.update(holds).where(_h.name == name, _h.fence == fence).values(until=now))
