"""Who is signed in. A session lives on the server, so it can be ended from anywhere at once; its
cookie holds 256 random bits, of which only the hash is kept.

Times follow OWASP's session management: it ends when it was idle for long, and some time anyhow.
https://cheatsheetseries.owasp.org/cheatsheets/Session_Management_Cheat_Sheet.html
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

import sqlalchemy as sa

from core.domain.roles import Member
from core.services import eventlog
from core.services.errors import Missing, SessionOver
from core.services.tills import hash_of
from core.storage.tables import staff, staff_cafes, staff_sessions
from core.storage.tx import Tx
from core.storage.types import storable

IDLE = timedelta(hours=12)
LONGEST = timedelta(days=7)
SEEN_EVERY = timedelta(minutes=1)
"""How exactly `seen_at` is kept: writing it at every look would cost a commit each."""
AGENT_LENGTH = 300

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in. `csrf` is what their forms carry; `stale`: `seen` is due."""

    id: int
    member: Member
    csrf: str
    stale: bool


class Listed(NamedTuple):
    """One of a member's sessions, for them to look at."""

    id: int
    created_at: datetime
    seen_at: datetime
    user_agent: str


def start(
    tx: Tx, staff_id: int, user_agent: str, now: datetime, *, device_id: int | None = None
) -> str:
    """A new session; returns its token. Nothing that a browser brought before is taken over."""
    token = secrets.token_urlsafe(32)
    tx.execute(
        sa.insert(staff_sessions).values(
            token_hash=hash_of(token),
            staff_id=staff_id,
            device_id=device_id,
            csrf=secrets.token_urlsafe(24),
            created_at=now,
            seen_at=now,
            expires_at=now + LONGEST,
            user_agent=storable(user_agent)[:AGENT_LENGTH],
        )
    )
    return token


def of_token(tx: Tx, token: str, now: datetime) -> Session | None:
    """The session on the portal whose cookie says `token`; None where it is over, or none."""
    row = tx.execute(
        sa.select(staff_sessions).where(
            staff_sessions.c.token_hash == hash_of(token),
            staff_sessions.c.device_id.is_(None),
            is_open(now),
        )
    ).one_or_none()
    who = None if row is None else member(tx, row.staff_id)
    if row is None or who is None:
        return None
    return Session(row.id, who, row.csrf, is_stale(row.seen_at, now))


def on_behalf(tx: Tx, token: str, now: datetime, work: Callable[[Tx, Member], T]) -> T:
    """`work(tx, member)` for whoever is signed in, as they are in this very transaction: a role
    taken away a moment ago counts. SessionOver."""
    session = of_token(tx, token, now)
    if session is None:
        raise SessionOver("not signed in")
    return work(tx, session.member)


def member(tx: Tx, staff_id: int) -> Member | None:
    """Them as they are now; None where they can't sign in any more."""
    columns = (staff.c.id, staff.c.login, staff.c.name, staff.c.role, staff.c.language)
    row = tx.execute(
        sa.select(*columns).where(staff.c.id == staff_id, staff.c.disabled_at.is_(None))
    ).one_or_none()
    if row is None:
        return None
    return Member(row.id, row.login, row.name, row.role, cafes_of(tx, row.id), row.language)


def cafes_of(tx: Tx, staff_id: int) -> frozenset[int]:
    return frozenset(
        tx.execute(
            sa.select(staff_cafes.c.cafe_id).where(staff_cafes.c.staff_id == staff_id)
        ).scalars()
    )


def seen(tx: Tx, session_id: int, now: datetime) -> None:
    tx.execute(
        sa.update(staff_sessions).where(staff_sessions.c.id == session_id).values(seen_at=now)
    )


def own(tx: Tx, by: Member, now: datetime) -> Sequence[Listed]:
    """Their open sessions on the portal, the one used last first."""
    rows = tx.execute(
        sa.select(*(getattr(staff_sessions.c, field) for field in Listed._fields))
        .where(
            staff_sessions.c.staff_id == by.id, staff_sessions.c.device_id.is_(None), is_open(now)
        )
        .order_by(staff_sessions.c.seen_at.desc(), staff_sessions.c.id.desc())
    )
    return [Listed._make(row) for row in rows]


def revoke(tx: Tx, by: Member, session_id: int, now: datetime) -> None:
    """Ends one of their own. Missing where it is none of theirs, or over."""
    of_theirs = sa.and_(staff_sessions.c.id == session_id, staff_sessions.c.staff_id == by.id)
    if not _revoke(tx, of_theirs, now):
        raise Missing("there is no such session")
    eventlog.log(tx, "session_revoked", now, staff_id=by.id)


def revoke_others(tx: Tx, by: Member, session_id: int, now: datetime) -> None:
    """Ends all of theirs but this one."""
    revoke_all(tx, by.id, now, but=session_id)
    eventlog.log(tx, "session_revoked", now, staff_id=by.id)


def sign_out(tx: Tx, token: str, now: datetime) -> None:
    _revoke(tx, staff_sessions.c.token_hash == hash_of(token), now)


def revoke_all(tx: Tx, staff_id: int, now: datetime, *, but: int | None = None) -> int:
    """Ends every session of theirs, on tills too, but the row `but`; returns how many."""
    theirs = staff_sessions.c.staff_id == staff_id
    return _revoke(tx, theirs if but is None else theirs & (staff_sessions.c.id != but), now)


def revoke_on_tills(tx: Tx, staff_id: int, now: datetime) -> None:
    theirs = staff_sessions.c.staff_id == staff_id
    _revoke(tx, theirs & staff_sessions.c.device_id.is_not(None), now)


def revoke_on_device(tx: Tx, device_id: int, now: datetime) -> None:
    _revoke(tx, staff_sessions.c.device_id == device_id, now)


def _revoke(tx: Tx, which: sa.ColumnElement[bool], now: datetime) -> int:
    statement = sa.update(staff_sessions).where(which, staff_sessions.c.revoked_at.is_(None))
    return tx.execute(statement.values(revoked_at=now)).rowcount


def is_open(now: datetime) -> sa.ColumnElement[bool]:
    """Of a row of sessions: whether it is not over."""
    return sa.and_(
        staff_sessions.c.revoked_at.is_(None),
        staff_sessions.c.expires_at > now,
        staff_sessions.c.seen_at > now - IDLE,
    )


def is_stale(seen_at: datetime, now: datetime) -> bool:
    return now - seen_at >= SEEN_EVERY
