"""Questions to till systems that must not be lost: a thin webhook names an order to ask about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from core.storage.tables import tasks
from core.storage.tx import Tx
from core.storage.types import storable

CLAIM = timedelta(seconds=60)
GIVE_UP = timedelta(days=1)
TOPIC = "tasks"
COUPON = ""
"""In place of a task's `pos`: a coupon is wanted for the redemption `ref`, of whichever till system
serves the cafe (services/coupons.py)."""

_t = tasks.c


@dataclass(frozen=True, slots=True)
class Task:
    """A question that this node has for CLAIM. `arrived_at` is when the webhook came; `claim`
    tells this taking from a later one."""

    id: int
    pos: str
    cafe: str
    ref: str
    arrived_at: datetime
    attempts: int
    claim: datetime

    @property
    def gives_up_at(self) -> datetime:
        return self.arrived_at + GIVE_UP


def add(tx: Tx, pos: str, cafe: str, ref: str, arrived_at: datetime) -> None:
    """Asks about `ref` soon. Named again while it waits, it is one question with the first time of
    arrival; named again while it is being asked, it is a new one, since the answer under way may be
    older than what the second webhook tells of."""
    waiting = _t.claimed_until.is_(None)
    insert = (sqlite.insert if tx.is_sqlite else postgresql.insert)(tasks).values(
        pos=pos, cafe=cafe, ref=ref, arrived_at=arrived_at, due_at=arrived_at, attempts=0
    )
    tx.execute(
        insert.on_conflict_do_update(
            index_elements=[_t.pos, _t.cafe, _t.ref],
            set_={
                "arrived_at": sa.case((waiting, _t.arrived_at), else_=insert.excluded.arrived_at),
                "attempts": sa.case((waiting, _t.attempts), else_=0),
                "due_at": sa.case(
                    (_t.due_at < insert.excluded.due_at, _t.due_at), else_=insert.excluded.due_at
                ),
                "claimed_until": None,
            },
        )
    )
    tx.ring(TOPIC)


def claim(tx: Tx, most: int, now: datetime) -> Sequence[Task]:
    """At most `most` that are due; a claim of a node that is gone lapses."""
    free = sa.or_(_t.claimed_until.is_(None), _t.claimed_until <= now)
    due = (
        sa.select(_t.id)
        .where(_t.due_at <= now, free)
        .order_by(_t.due_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    until = now + CLAIM
    claimed = tx.execute(
        sa.update(tasks)
        .where(_t.id.in_(due))
        .values(claimed_until=until, attempts=_t.attempts + 1)
        .returning(_t.id, _t.pos, _t.cafe, _t.ref, _t.arrived_at, _t.attempts)
    )
    return [
        Task(row.id, row.pos, row.cafe, row.ref, row.arrived_at, row.attempts, until)
        for row in claimed
    ]


def done(tx: Tx, task: Task) -> None:
    tx.execute(sa.delete(tasks).where(*_ours(task)))


def again(tx: Tx, task: Task, due_at: datetime, error: str) -> None:
    tx.execute(
        sa.update(tasks)
        .where(*_ours(task))
        .values(due_at=due_at, claimed_until=None, error=storable(error)[:500])
    )


def next_due(tx: Tx) -> datetime | None:
    """When the next question is to be asked, or the next claim lapses; None: there is none."""
    due: datetime | None = tx.scalar(
        sa.select(sa.func.min(sa.func.coalesce(_t.claimed_until, _t.due_at)))
    )
    return due


def lapse(tx: Tx) -> None:
    """Nobody asks anything right now: SQLite's only process has just started."""
    tx.execute(sa.update(tasks).values(claimed_until=None))


def _ours(task: Task) -> Sequence[sa.ColumnElement[bool]]:
    return _t.id == task.id, _t.claimed_until == task.claim
