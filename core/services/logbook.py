"""The event log, read: what happened in a cafe, the newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from core.domain.roles import Member
from core.services.permission import place, places, require
from core.storage.tables import cafes, event_log, staff, tills
from core.storage.tx import Tx

PAGE = 50


class Entry(NamedTuple):
    """`cafe`, `till` and `who` are names; None where it was of none. `timezone` is the cafe's."""

    id: int
    at: datetime
    kind: str
    data: Mapping[str, Any]
    cafe: str | None
    timezone: str | None
    till: str | None
    who: str | None


class Page(NamedTuple):
    """`older`: what to go on `before`; None at the end."""

    entries: Sequence[Entry]
    older: int | None


def page(tx: Tx, by: Member, cafe: str | None, before: int | None) -> Page:
    """Of the cafe with slug `cafe`, else of all of theirs; what is of no cafe is an owner's.

    Pages go by the row id (`before`), so a late one costs what the first does. Missing for a cafe
    that isn't theirs.
    """
    require(by, "log")
    wanted: sa.ColumnElement[bool] = sa.true()
    if cafe is not None:
        wanted = event_log.c.cafe_id == place(tx, by, cafe).id
    elif by.role != "owner":
        wanted = event_log.c.cafe_id.in_([one.id for one in places(tx, by)])
    if before is not None:
        wanted = sa.and_(wanted, event_log.c.id < before)
    log = event_log.c
    rows = tx.execute(
        sa.select(
            log.id,
            log.at,
            log.kind,
            log.data,
            cafes.c.name,
            cafes.c.timezone,
            tills.c.name,
            staff.c.name,
        )
        .select_from(event_log)
        .outerjoin(cafes, cafes.c.id == log.cafe_id)
        .outerjoin(tills, tills.c.id == log.till_id)
        .outerjoin(staff, staff.c.id == log.staff_id)
        .where(wanted)
        .order_by(log.id.desc())
        .limit(PAGE + 1)
    )
    entries = [Entry._make(row) for row in rows]
    older = entries[PAGE - 1].id if len(entries) > PAGE else None
    return Page(entries[:PAGE], older)
