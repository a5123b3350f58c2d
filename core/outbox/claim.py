"""Taking rows of the outbox to send, in a transaction: which, in which order, and in what words."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
import sqlalchemy as sa

from core.contract import Outbound
from core.keys import Keys
from core.outbox import outcomes
from core.outbox.render import render
from core.services import messages as outbox
from core.services.messages import ANSWER, LANES
from core.storage.tables import contacts, guests, messages
from core.storage.tx import Prepared, Row, Tx
from core.storage.types import from_micros, to_micros

log = logging.getLogger(__name__)

CLAIM = timedelta(seconds=60)
"""A claim lapses after this: whoever had it is gone, and the message is anybody's again."""
REPLACED_SOON = timedelta(seconds=1)
"""A renewal that overtook its card looks again after this."""

_m = messages.c
_older = messages.alias("older")
_QUEUED: sa.ColumnElement[str] = sa.literal_column("'queued'")
_SENDING: sa.ColumnElement[str] = sa.literal_column("'sending'")

_first_of_its_lane = ~sa.exists().where(
    _older.c.contact_id == _m.contact_id,
    _older.c.lane == _m.lane,
    _older.c.id < _m.id,
    sa.text("older.status IN ('queued', 'sending')"),
)
_CLAIM = Prepared(
    sa.update(messages)
    .where(
        _m.id.in_(
            sa.select(_m.id)
            .where(
                _m.channel == sa.bindparam("on"),
                _m.status == _QUEUED,
                _m.lane == sa.bindparam("of"),
                _m.due_at <= sa.bindparam("now"),
                _first_of_its_lane,
            )
            .order_by(_m.due_at, _m.id)
            .limit(sa.bindparam("most", type_=sa.Integer))
            .offset(sa.literal_column("0"))  # SQLite's dialect would bind one of its own
            .with_for_update(skip_locked=True)
        )
    )
    .values(
        status=_SENDING,
        claimed_until=sa.bindparam("until"),
        attempts=_m.attempts + sa.literal_column("1"),
    )
    .returning(_m.id)
)
_CLAIMED = Prepared(
    sa.select(
        _m.id,
        _m.contact_id,
        _m.lane,
        _m.kind,
        _m.body,
        _m.replaces,
        _m.attempts,
        _m.expires_at,
        contacts.c.address,
        sa.func.coalesce(guests.c.language, contacts.c.language, sa.literal_column("'en'")),
        contacts.c.gone_at,
        contacts.c.heard_at,
        contacts.c.closed_at,
    )
    .select_from(messages)
    .join(contacts, contacts.c.id == _m.contact_id)
    .outerjoin(guests, guests.c.id == contacts.c.guest_id)
    .where(
        _m.channel == sa.bindparam("on"),
        _m.status == _SENDING,
        _m.claimed_until == sa.bindparam("until"),
    )
    .order_by(_m.lane, _m.due_at, _m.id)
)
_NEXT_DUE = Prepared(
    sa.select(
        sa.func.min(
            sa.union_all(
                *(
                    sa.select(sa.func.min(_m.due_at).label("due")).where(
                        _m.channel == sa.bindparam("on"),
                        _m.status == _QUEUED,
                        _m.lane == sa.literal_column(str(lane)),
                        _m.due_at > sa.bindparam("now"),
                    )
                    for lane in LANES
                )
            )
            .subquery()
            .c.due
        )
    )
)


@dataclass(slots=True)
class Claimed:
    """A row that is ours for CLAIM, with where it goes; `heard_at` and `closed_at` are the chat's
    as it was claimed (services/window.py)."""

    id: int
    contact_id: int
    lane: int
    kind: str
    body: str
    replaces: int | None
    attempts: int
    expires_at: datetime | None
    address: str
    language: str
    gone: bool
    heard_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Ready:
    """A message to hand over. `qr` is the text of a picture that is still to be drawn; `replaces`
    the provider's id of the message whose place it takes."""

    row: Claimed
    message: Outbound
    qr: str | None
    replaces: str | None


@dataclass(frozen=True, slots=True)
class Office:
    """What rendering needs to know besides the row; `stores`: storing is sending."""

    channel: str
    stores: bool
    keys: Keys
    public_url: str


def claim(tx: Tx, channel: str, room: int, bulk: int, now: datetime) -> tuple[list[Claimed], bool]:
    """At most `room` rows that are due, answers first, of them at most `bulk` in other lanes, and
    whether more may be waiting. Of each contact and lane only the oldest open row is taken."""
    times = {"now": to_micros(now), "until": to_micros(now + CLAIM)}
    ids: set[int] = set()
    more = False
    for lane in LANES:
        left = room - len(ids)
        most = left if lane == ANSWER else min(left, bulk)
        rows = tx.run_all(_CLAIM, on=channel, of=lane, most=most, **times) if most > 0 else []
        ids.update(row[0] for row in rows)
        bulk -= 0 if lane == ANSWER else len(rows)
        more = more or len(rows) >= most
    if not ids:
        return [], more
    rows = tx.run_all(_CLAIMED, on=channel, until=times["until"])
    return [_claimed(row) for row in rows if row[0] in ids], more


def _claimed(row: Row) -> Claimed:
    id_, contact_id, lane, kind, body, replaces, attempts, expires_at, *chat = row
    address, language, gone_at, heard_at, closed_at = chat
    return Claimed(
        id_,
        contact_id,
        lane,
        kind,
        body,
        replaces,
        attempts,
        _moment(expires_at),
        address,
        language,
        gone_at is not None,
        _moment(heard_at),
        _moment(closed_at),
    )


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def next_due(tx: Tx, channel: str, now: datetime) -> datetime | None:
    """When the next row becomes due; None: nothing waits for its time."""
    row = tx.run(_NEXT_DUE, on=channel, now=to_micros(now))
    return None if row is None else _moment(row[0])


def lapse(tx: Tx, channel: str, now: datetime, ours: Collection[int], *, all_: bool) -> None:
    """Claims that nobody works on any more go back into the queue: those that are too old, or
    `all_` where this node has just taken the channel over. `ours` are in the air right now. Their
    messages may have left, so they are marked uncertain."""
    lapsed = sa.update(messages).where(_m.channel == channel, _m.status == _SENDING)
    if not all_:
        lapsed = lapsed.where(_m.claimed_until <= now)
    if ours:
        lapsed = lapsed.where(_m.id.not_in(ours))
    tx.execute(lapsed.values(status="queued", claimed_until=None, uncertain=True))


# -- into words ------------------------------------------------------------------------------------


def prepare(tx: Tx, claimed: Sequence[Claimed], office: Office, now: datetime) -> Iterator[Ready]:
    """Those of the claimed rows that are to be handed over; the others are done with here."""
    for row in claimed:
        if row.gone:
            outcomes.close(tx, row, "cancelled")
        elif row.expires_at is not None and row.expires_at <= now:
            outcomes.expire(tx, office.channel, row, now)
        elif row.replaces is None:
            yield from _rendered(tx, row, None, office, now)
        else:
            yield from _in_place(tx, row, row.replaces, office, now)


def _in_place(
    tx: Tx, row: Claimed, replaces: int, office: Office, now: datetime
) -> Iterator[Ready]:
    """A renewal: cancelled where there is nothing to renew, later where its card is on the way."""
    earlier = tx.execute(
        sa.select(_m.status, _m.provider_id).where(_m.id == replaces)
    ).one_or_none()
    status, provider_id = (earlier.status, earlier.provider_id) if earlier else ("cancelled", None)
    if status in ("queued", "sending"):
        outcomes.postpone(tx, row, now + REPLACED_SOON)
    elif (status == "sent") if office.stores else provider_id:
        yield from _rendered(tx, row, provider_id, office, now)
    else:
        outcomes.close(tx, row, "cancelled")


def _rendered(
    tx: Tx, row: Claimed, replaces: str | None, office: Office, now: datetime
) -> Iterator[Ready]:
    """A message that can't be put into words fails alone, and says so."""
    try:
        message, qr = _words(tx, row, office, now)
    except Exception as error:
        log.exception("message %d (%s) could not be rendered", row.id, row.kind)
        outcomes.fail(tx, office.channel, row, f"not rendered: {type(error).__name__}", now)
        return
    if office.stores:
        outbox.store(tx, row.id, row.contact_id, message, now)
    else:
        yield Ready(row, message, qr, replaces)


def _words(tx: Tx, row: Claimed, office: Office, now: datetime) -> tuple[Outbound, str | None]:
    with nullcontext() if row.kind == "reply" else tx.alone():
        return render(
            tx,
            row.kind,
            orjson.loads(row.body),
            row.language,
            keys=office.keys,
            public_url=office.public_url,
            now=now,
        )
