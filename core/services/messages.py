"""The outbox's rows: putting them in, messages as JSON, and what channels that store read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa

from core.contract import Link, Option, Outbound, Picture, StoredMessage
from core.storage.tables import contacts, messages
from core.storage.tx import Prepared, PreparedInsert, Tx
from core.storage.types import from_micros, to_micros

ANSWER, NOTIFICATION, RENEWAL, CAMPAIGN = LANES = range(4)
"""Lanes, the most urgent first."""

GIVE_UP = timedelta(days=1)
PAGE = 200
"""At most so many stored messages are read at once."""

OPEN = sa.text("status IN ('queued', 'sending')")
"""Rows that still wait, in the very words of the index that holds only them (ix_message_open)."""

_m = messages.c

_PUT = PreparedInsert(
    sa.insert(messages).values(
        {
            name: sa.bindparam(name)
            for name in (
                "contact_id",
                "channel",
                "lane",
                "kind",
                "body",
                "replaces",
                "status",
                "uncertain",
                "due_at",
                "expires_at",
                "attempts",
                "created_at",
            )
        }
    )
)
_NEXT_POSITION = Prepared(
    sa.update(contacts)
    .where(contacts.c.id == sa.bindparam("contact"))
    .values(stored=contacts.c.stored + sa.literal_column("1"))
    .returning(contacts.c.stored, contacts.c.channel, contacts.c.address)
)
_STORE = Prepared(
    sa.update(messages)
    .where(_m.id == sa.bindparam("row"))
    .values(
        status=sa.literal_column("'sent'"),
        claimed_until=sa.null(),
        body=sa.bindparam("body"),
        position=sa.bindparam("position"),
        sent_at=sa.bindparam("now"),
    )
)
_STORED = PreparedInsert(
    sa.insert(messages).values(
        contact_id=sa.bindparam("contact_id"),
        channel=sa.bindparam("channel"),
        lane=sa.literal_column(str(ANSWER)),
        kind=sa.bindparam("kind"),
        body=sa.bindparam("body"),
        status=sa.literal_column("'sent'"),
        uncertain=sa.false(),
        attempts=sa.literal_column("0"),
        due_at=sa.bindparam("now"),
        sent_at=sa.bindparam("now"),
        created_at=sa.bindparam("now"),
        position=sa.bindparam("position"),
    )
)
_WAITS = Prepared(
    sa.select(sa.literal_column("1"))
    .where(_m.contact_id == sa.bindparam("contact"), _m.lane == sa.literal_column(str(ANSWER)))
    .where(OPEN)
    .limit(sa.literal_column("1"))
    .offset(sa.literal_column("0"))  # SQLite's dialect would bind one of its own
)
_earlier = messages.alias("earlier")
_AFTER = Prepared(
    sa.select(_m.position, _m.sent_at, _m.kind, _m.body, _earlier.c.position)
    .select_from(messages)
    .join(contacts, contacts.c.id == _m.contact_id)
    .outerjoin(_earlier, _earlier.c.id == _m.replaces)
    .where(
        contacts.c.channel == sa.bindparam("on"),
        contacts.c.address == sa.bindparam("at"),
        _m.position > sa.bindparam("position"),
    )
    .order_by(_m.position)
    .limit(sa.bindparam("most", type_=sa.Integer))
    .offset(sa.literal_column("0"))  # SQLite's dialect would bind one of its own
)


# -- putting in ------------------------------------------------------------------------------------


def wake_up(channel: str) -> str:
    """The topic that rings when a message of this channel is committed."""
    return f"outbox:{channel}"


def put(
    tx: Tx,
    *,
    contact_id: int,
    channel: str,
    lane: int,
    kind: str,
    body: Mapping[str, Any],
    now: datetime,
    due_at: datetime | None = None,
    expires_at: datetime | None = None,
    replaces: int | None = None,
) -> int:
    """Queues a message; it leaves once this transaction has committed, or when it is due, and is
    given up a day after. Returns its row id; `replaces` is that of an earlier one."""
    due = due_at or now
    row = tx.insert(
        _PUT,
        contact_id=contact_id,
        channel=channel,
        lane=lane,
        kind=kind,
        body=orjson.dumps(body).decode(),
        replaces=replaces,
        status="queued",
        uncertain=False,
        due_at=to_micros(due),
        expires_at=to_micros(expires_at or due + GIVE_UP),
        attempts=0,
        created_at=to_micros(now),
    )
    assert row is not None
    tx.ring(wake_up(channel))
    return row


def ride_along(tx: Tx, row_id: int, now: datetime) -> Outbound | None:
    """The reply queued in this transaction that is to leave in the provider's response: it is sent
    with that. None where the row is no reply, and leaves by the outbox."""
    body = tx.scalar(
        sa.update(messages)
        .where(_m.id == row_id, _m.kind == "reply", _m.status == "queued")
        .values(status="sent", sent_at=now, attempts=1)
        .returning(_m.body)
    )
    return None if body is None else from_json(body)


def cancel_open(tx: Tx, contact_id: int) -> None:
    """Nothing that still waits for this chat is sent."""
    tx.execute(
        sa.update(messages)
        .where(_m.contact_id == contact_id, OPEN)
        .where(_m.status == "queued")
        .values(status="cancelled")
    )


# -- channels that store ---------------------------------------------------------------------------


def store(tx: Tx, row_id: int, contact_id: int, message: Outbound, now: datetime) -> int:
    """Storing is sending: the queued row holds `message` as it is shown, visible from the commit
    on. Returns its position, the contact's next."""
    position = _next_position(tx, contact_id)
    body = orjson.dumps(to_json(message)).decode()
    tx.run(_STORE, row=row_id, body=body, position=position, now=to_micros(now))
    return position


def said(tx: Tx, contact_id: int, channel: str, text: str, now: datetime) -> None:
    """Keeps the guest's own words on a channel that stores."""
    body = {"text": text, "kind": "said", "language": "en"}
    _keep(tx, contact_id, channel, "said", body, now)


def answer(tx: Tx, contact_id: int, channel: str, reply: Outbound, now: datetime) -> int | None:
    """Stores a reply at once, since that is all its sending; None where an earlier answer still
    waits to be drawn, and this one has to wait behind it. Returns its row id."""
    if tx.run(_WAITS, contact=contact_id) is not None:
        return None
    return _keep(tx, contact_id, channel, "reply", to_json(reply), now)


def _keep(
    tx: Tx, contact_id: int, channel: str, kind: str, body: Mapping[str, Any], now: datetime
) -> int:
    row = tx.insert(
        _STORED,
        contact_id=contact_id,
        channel=channel,
        kind=kind,
        body=orjson.dumps(body).decode(),
        now=to_micros(now),
        position=_next_position(tx, contact_id),
    )
    assert row is not None
    return row


def after(tx: Tx, channel: str, address: str, position: int) -> Sequence[StoredMessage]:
    """The contact's messages behind `position`, oldest first, at most PAGE. The `id` of a
    StoredMessage is its position: it counts in the order in which messages became visible."""
    return [
        StoredMessage(
            id=id_,
            at=from_micros(at),
            mine=kind == "said",
            message=from_json(orjson.loads(body)),
            replaces=replaces,
        )
        for id_, at, kind, body, replaces in tx.run_all(
            _AFTER, on=channel, at=address, position=position, most=PAGE
        )
    ]


def stored_topic(channel: str, address: str) -> str:
    """The topic that rings when something new is stored for the contact at this address."""
    return f"stored:{channel}:{address}"


def _next_position(tx: Tx, contact_id: int) -> int:
    """The contact's row is locked until the commit, so positions become visible in order."""
    row = tx.run(_NEXT_POSITION, contact=contact_id)
    assert row is not None
    position, channel, address = row
    tx.ring(stored_topic(channel, address))
    return int(position)


# -- as JSON ---------------------------------------------------------------------------------------


def to_json(message: Outbound) -> dict[str, Any]:
    """`message` for a row's body; of its picture the words and the address, never the bytes."""
    body: dict[str, Any] = {
        "text": message.text,
        "kind": message.kind,
        "language": message.language,
    }
    if message.options:
        body["options"] = [[_option(o) for o in row] for row in message.options]
    if message.menu:
        body["menu"] = True
    if message.ask_phone:
        body["ask_phone"] = message.ask_phone
    if message.links:
        body["links"] = [[link.label, link.url, link.app] for link in message.links]
    if message.variables:
        body["variables"] = dict(message.variables)
    if message.picture:
        body["picture"] = [message.picture.alt, message.picture.url]
    return body


def _option(option: Option) -> list[Any]:
    return [option.value, option.label, *([True] if option.personal else [])]


def from_json(body: Mapping[str, Any]) -> Outbound:
    picture = body.get("picture")
    return Outbound(
        text=body["text"],
        kind=body["kind"],
        language=body["language"],
        options=tuple(tuple(Option(*option) for option in row) for row in body.get("options", ())),
        menu=body.get("menu", False),
        ask_phone=body.get("ask_phone"),
        links=tuple(Link(*link) for link in body.get("links", ())),
        variables=body.get("variables", {}),
        picture=Picture(b"", *picture) if picture else None,
    )
