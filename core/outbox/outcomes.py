"""What became of claimed rows, written down: sent, to be tried again, failed, given up."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa

from core.services import eventlog, receipts, window
from core.services.messages import OPEN, RENEWAL
from core.storage.tables import contacts, messages
from core.storage.tx import Prepared, Tx
from core.storage.types import to_micros

_m = messages.c


class Row(Protocol):
    """A claimed row; `attempts` is the number of this claim and tells it from later ones."""

    id: int
    contact_id: int
    lane: int
    kind: str
    attempts: int
    expires_at: datetime | None
    heard_at: datetime | None


@dataclass(frozen=True, slots=True)
class Sent:
    row: Row
    provider_id: str | None


@dataclass(frozen=True, slots=True)
class Again:
    """To be tried again at `due_at`; without an `error` it was not tried, and doesn't count."""

    row: Row
    due_at: datetime
    error: str | None = None
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """For good. `gone`: and nothing else goes to this chat until the guest writes again."""

    row: Row
    error: str
    uncertain: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing of this kind is taken before the guest's next word."""

    row: Row
    error: str


Outcome = Sent | Again | Failed | Closed

_SENT = Prepared(
    sa.update(messages)
    .where(_m.id == sa.bindparam("row"), OPEN)
    .values(
        status=sa.literal_column("'sent'"),
        provider_id=sa.bindparam("provider_id"),
        sent_at=sa.bindparam("now"),
        claimed_until=sa.null(),
        error=sa.null(),
    )
)


def write(tx: Tx, channel: str, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Marks the rows. What a claim that has lapsed meanwhile says counts only if it was sent."""
    _mark_sent(tx, channel, [one for one in outcomes if isinstance(one, Sent)], now)
    for one in outcomes:
        if isinstance(one, Again):
            _mark_again(tx, channel, one, now)
        elif isinstance(one, Closed):
            _mark_closed(tx, channel, one, now)
        elif isinstance(one, Failed):
            fail(tx, channel, one.row, one.error, now, uncertain=one.uncertain)
            if one.gone:
                receipts.gone(tx, one.row.contact_id, now)


def _mark_sent(tx: Tx, channel: str, sent: Sequence[Sent], now: datetime) -> None:
    if not sent:
        return
    at = to_micros(now)
    tx.run_many(
        _SENT, [{"row": one.row.id, "provider_id": one.provider_id, "now": at} for one in sent]
    )
    if named := [one.provider_id for one in sent if one.provider_id is not None]:
        receipts.settle(tx, channel, named, now)


def _mark_again(tx: Tx, channel: str, one: Again, now: datetime) -> None:
    if one.error is None:
        postpone(tx, one.row, one.due_at)
    elif one.row.expires_at is not None and one.due_at >= one.row.expires_at:
        expire(tx, channel, one.row, now, error=one.error, uncertain=one.uncertain)
    else:
        tx.execute(
            _ours(one.row).values(
                status="queued",
                claimed_until=None,
                due_at=one.due_at,
                error=one.error,
                uncertain=sa.or_(_m.uncertain, sa.literal(one.uncertain)),
            )
        )


def _mark_closed(tx: Tx, channel: str, one: Closed, now: datetime) -> None:
    """A guest who has written since the claim has opened the window: it is tried again."""
    if window.chat(tx, one.row.contact_id).heard_at != one.row.heard_at:
        postpone(tx, one.row, now)
    else:
        window.shut(tx, one.row.contact_id, now)
        window.set_aside(tx, one.row, channel, _ours(one.row), one.error, now)


def postpone(tx: Tx, row: Row, due_at: datetime) -> None:
    """Back into the queue without having been tried."""
    tx.execute(
        _ours(row).values(
            status="queued", claimed_until=None, due_at=due_at, attempts=row.attempts - 1
        )
    )


def expire(
    tx: Tx,
    channel: str,
    row: Row,
    now: datetime,
    *,
    error: str | None = None,
    uncertain: bool = False,
) -> None:
    """Too late. A card's renewal just doesn't matter any more; giving up on another is logged."""
    if close(tx, row, "expired", error=error, uncertain=uncertain) and row.lane != RENEWAL:
        _log(tx, "message_given_up", channel, row, error, now)


def fail(
    tx: Tx, channel: str, row: Row, error: str, now: datetime, *, uncertain: bool = False
) -> None:
    if close(tx, row, "failed", error=error, uncertain=uncertain):
        _log(tx, "message_failed", channel, row, error, now)


def close(
    tx: Tx, row: Row, status: str, *, error: str | None = None, uncertain: bool = False
) -> bool:
    """The row ends as `status`; False: it isn't this claim's any more."""
    ended = tx.execute(
        _ours(row).values(
            status=status,
            claimed_until=None,
            error=sa.func.coalesce(sa.literal(error, sa.Text), _m.error),
            uncertain=sa.or_(_m.uncertain, sa.literal(uncertain)),
        )
    )
    return ended.rowcount == 1


def give_up_others(tx: Tx, served: Collection[str], now: datetime) -> None:
    """Messages that no line looks after are given up, too: those of channels that don't run here
    any more, after a day, and those that wait for a guest's word."""
    given_up = tx.execute(
        sa.update(messages)
        .where(
            OPEN,
            _m.channel.not_in(served),
            _m.expires_at <= now,
        )
        .values(status="expired", claimed_until=None)
        .returning(_m.id, _m.contact_id, _m.lane, _m.kind, _m.attempts, _m.expires_at, _m.channel)
    ).all()
    for row in given_up:
        if row.lane != RENEWAL:
            _log(tx, "message_given_up", row.channel, row, "the channel does not run", now)
    window.give_up(tx, now)


def _ours(row: Row) -> sa.Update:
    return sa.update(messages).where(
        _m.id == row.id, _m.status == "sending", _m.attempts == row.attempts
    )


def _log(tx: Tx, kind: str, channel: str, row: Row, error: str | None, now: datetime) -> None:
    guest_id = tx.scalar(sa.select(contacts.c.guest_id).where(contacts.c.id == row.contact_id))
    eventlog.log(
        tx,
        kind,
        now,
        guest_id=guest_id,
        channel=channel,
        message=row.id,
        message_kind=row.kind,
        attempts=row.attempts,
        error=error,
    )
