"""The outbox's rows: putting them in, and messages as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa

from core.contract import Link, Option, Outbound, Picture
from core.storage.tables import messages
from core.storage.tx import Prepared, Tx
from core.storage.types import to_micros

ANSWER, NOTIFICATION, RENEWAL, CAMPAIGN = range(4)
"""Lanes, the most urgent first."""

GIVE_UP = timedelta(days=1)

_PUT = Prepared(
    sa.insert(messages)
    .values(
        {
            name: sa.bindparam(name)
            for name in (
                "contact_id channel lane kind body replaces status uncertain "
                "due_at expires_at attempts created_at"
            ).split()
        }
    )
    .returning(messages.c.id)
)


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
    """Queues a message; it leaves once this transaction has committed. Returns its row id."""
    row = tx.run(
        _PUT,
        contact_id=contact_id,
        channel=channel,
        lane=lane,
        kind=kind,
        body=orjson.dumps(body).decode(),
        replaces=replaces,
        status="queued",
        uncertain=False,
        due_at=to_micros(due_at or now),
        expires_at=to_micros(expires_at or now + GIVE_UP),
        attempts=0,
        created_at=to_micros(now),
    )
    assert row is not None
    tx.ring("outbox")
    return int(row[0])


def to_json(message: Outbound, qr: str | None = None) -> dict[str, Any]:
    """`message` for the row's body; the picture is drawn at hand-over, from `qr`."""
    body: dict[str, Any] = {
        "text": message.text,
        "kind": message.kind,
        "language": message.language,
    }
    if message.options:
        body["options"] = [[[o.value, o.label] for o in row] for row in message.options]
    if message.menu:
        body["menu"] = True
    if message.ask_phone:
        body["ask_phone"] = message.ask_phone
    if message.links:
        body["links"] = [[link.label, link.url, link.app] for link in message.links]
    if message.variables:
        body["variables"] = dict(message.variables)
    if qr:
        body["qr"] = qr
    return body


def from_json(body: Mapping[str, Any], picture: Picture | None = None) -> Outbound:
    return Outbound(
        text=body["text"],
        kind=body["kind"],
        language=body["language"],
        options=tuple(
            tuple(Option(value, label) for value, label in row) for row in body.get("options", ())
        ),
        menu=body.get("menu", False),
        ask_phone=body.get("ask_phone"),
        links=tuple(Link(*link) for link in body.get("links", ())),
        variables=body.get("variables", {}),
        picture=picture,
    )
