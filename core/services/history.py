"""What a guest can read again: the movements of an account, a page at a time, and notices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from core.services import notices
from core.services.ledger import Entry
from core.storage.tables import contacts, ledger_entries, messages
from core.storage.tx import Tx

_e, _m = ledger_entries.c, messages.c

_NOTICES = notices.KINDS - {"points_earned"}


@dataclass(frozen=True, slots=True)
class Line:
    """A movement, and its place among the others: a later one has a larger `id`."""

    id: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Page:
    """Movements, newest first; `older`: whether there are more behind them."""

    lines: Sequence[Line]
    older: bool


@dataclass(frozen=True, slots=True)
class Told:
    """A notice as the guest was told it, in words."""

    at: datetime
    text: str


def page(tx: Tx, guest_id: int, programme_id: int, most: int, before: int | None = None) -> Page:
    """The latest movements, or those before the one with this id."""
    wanted = [_e.guest_id == guest_id, _e.programme_id == programme_id]
    if before is not None:
        wanted.append(_e.id < before)
    rows = tx.execute(
        sa.select(_e.id, _e.kind, _e.points, _e.balance, _e.because, _e.at)
        .where(*wanted)
        .order_by(_e.id.desc())
        .limit(most + 1)
    ).all()
    lines = [
        Line(row.id, Entry(row.kind, row.points, row.balance, row.because, row.at))
        for row in rows[:most]
    ]
    return Page(lines, older=len(rows) > most)


def told(tx: Tx, guest_id: int, most: int, language: str) -> list[Told]:
    """The latest notices on any messenger, newest first, whether they arrived there or not, but for
    points that were earned: the movements tell of those. Where a channel keeps its messages they
    are in the words of then, elsewhere in those of `language`."""
    chats = sa.select(contacts.c.id).where(contacts.c.guest_id == guest_id)
    rows = tx.execute(
        sa.select(_m.kind, _m.body, _m.created_at)
        .where(_m.contact_id.in_(chats), _m.kind.in_(_NOTICES))
        .order_by(_m.created_at.desc(), _m.id.desc())
        .limit(most)
    )
    return [
        Told(
            row.created_at,
            row.body["text"]
            if "text" in row.body
            else notices.render_notice(row.kind, row.body, language).text,
        )
        for row in rows
    ]
