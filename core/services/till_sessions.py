"""Who is signed in at a till: a session in a browser that is bound to it (`services/devices.py`).

It takes both cookies, the session's and the device's, so one that was carried off to another
browser opens nothing. It ends as a session on the portal does, and when the device or the till is
revoked, or its member no longer works in that cafe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from core.domain.roles import Member
from core.services import devices, eventlog, sessions
from core.services.devices import Device
from core.services.errors import SessionOver
from core.services.tills import Till, hash_of
from core.storage.tables import staff_sessions
from core.storage.tx import Tx

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TillSession:
    """Somebody at a till: `member` in the browser `device`. `csrf` is what their forms carry;
    `stale`: `seen` is due."""

    id: int
    member: Member
    device: Device
    csrf: str
    stale: bool

    @property
    def till(self) -> Till:
        return self.device.till


def start(tx: Tx, staff_id: int, device: Device, user_agent: str, now: datetime) -> str:
    """Signs them in, and out whoever was in that browser before; returns the token for the
    session's cookie."""
    till = device.till
    sessions.revoke_on_device(tx, device.id, now)
    eventlog.log(
        tx, "till_signed_in", now, cafe_id=till.cafe.id, till_id=till.id, staff_id=staff_id
    )
    devices.seen(tx, device.id, now)
    return sessions.start(tx, staff_id, user_agent, now, device_id=device.id)


def of_token(tx: Tx, token: str, device_token: str, now: datetime) -> TillSession | None:
    """The session whose cookies say `token` and `device_token`; None where it is over, or none."""
    device = devices.of_token(tx, device_token)
    if device is None:
        return None
    row = tx.execute(
        sa.select(staff_sessions).where(
            staff_sessions.c.token_hash == hash_of(token),
            staff_sessions.c.device_id == device.id,
            sessions.is_open(now),
        )
    ).one_or_none()
    member = None if row is None else sessions.member(tx, row.staff_id)
    if row is None or member is None or not member.may("till", device.till.cafe.id):
        return None
    return TillSession(row.id, member, device, row.csrf, sessions.is_stale(row.seen_at, now))


def on_till(
    tx: Tx, token: str, device_token: str, now: datetime, work: Callable[[Tx, TillSession], T]
) -> T:
    """`work(tx, session)` for whoever is signed in there, as they are in this very transaction.
    SessionOver."""
    session = of_token(tx, token, device_token, now)
    if session is None:
        raise SessionOver("not signed in at the till")
    return work(tx, session)


def seen(tx: Tx, session: TillSession, now: datetime) -> None:
    sessions.seen(tx, session.id, now)
    devices.seen(tx, session.device.id, now)


def log(
    tx: Tx,
    by: TillSession,
    kind: str,
    now: datetime,
    *,
    guest_id: int | None = None,
    **data: Any,
) -> None:
    """Notes what they did, and at which till."""
    eventlog.log(
        tx,
        kind,
        now,
        cafe_id=by.till.cafe.id,
        guest_id=guest_id,
        till_id=by.till.id,
        staff_id=by.member.id,
        **data,
    )
