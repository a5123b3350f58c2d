"""Messengers of the owners' own, where alarms go: connected by a one-time code from the portal,
which is written to the bot. Whether that chat is a guest's too makes no difference to either."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from core.domain import linkcodes
from core.domain.roles import Member
from core.services import eventlog, sessions
from core.services.errors import Missing
from core.services.permission import require
from core.storage.tables import contacts, staff, staff_codes, staff_contacts
from core.storage.tx import Tx

GOOD_FOR = timedelta(minutes=10)
_PURPOSE = "link"

_code, _s = staff_codes.c, staff_contacts.c


class Connected(NamedTuple):
    """A chat that alarms go to, by its row; `gone`: we were blocked there."""

    contact_id: int
    channel: str
    created_at: datetime
    gone: bool


class Reached(NamedTuple):
    """A chat of an owner's; `language`: the one they chose in the portal."""

    contact_id: int
    channel: str
    language: str | None


def offer(tx: Tx, by: Member, now: datetime) -> str:
    """A code for them, in place of any that they were given before."""
    require(by, "alarms")
    tx.execute(
        sa.delete(staff_codes).where(
            _code.purpose == _PURPOSE, sa.or_(_code.staff_id == by.id, _code.expires_at <= now)
        )
    )
    code = linkcodes.new(secrets.choice)
    tx.execute(
        sa.insert(staff_codes).values(
            code_hash=_hash(code), purpose=_PURPOSE, staff_id=by.id, expires_at=now + GOOD_FOR
        )
    )
    return code


def use(tx: Tx, code: str, contact_id: int, channel: str, now: datetime) -> Member | None:
    """Takes a code that was written in a chat, once: whose alarms come there from now on. None
    where it is nobody's, too old, or of somebody who gets no alarms any more."""
    staff_id = tx.scalar(
        sa.delete(staff_codes)
        .where(_code.code_hash == _hash(code), _code.purpose == _PURPOSE, _code.expires_at > now)
        .returning(_code.staff_id)
    )
    who = None if staff_id is None else sessions.member(tx, staff_id)
    if who is None or not who.may("alarms"):
        return None
    before = sa.select(_s.created_at).where(_s.staff_id == who.id, _s.contact_id == contact_id)
    if tx.scalar(before) is None:
        row = {"staff_id": who.id, "contact_id": contact_id, "created_at": now}
        tx.execute(sa.insert(staff_contacts).values(row))
        eventlog.log(tx, "alarms_connected", now, staff_id=who.id, channel=channel)
    return who


def own(tx: Tx, by: Member) -> Sequence[Connected]:
    """In the order in which they were connected."""
    require(by, "alarms")
    found = tx.execute(
        sa.select(_s.contact_id, contacts.c.channel, _s.created_at, contacts.c.gone_at.is_not(None))
        .join_from(staff_contacts, contacts)
        .where(_s.staff_id == by.id)
        .order_by(_s.created_at, _s.contact_id)
    )
    return [Connected._make(row) for row in found]


def disconnect(tx: Tx, by: Member, contact_id: int, now: datetime) -> None:
    """Missing where it is none of theirs."""
    require(by, "alarms")
    theirs = sa.and_(_s.staff_id == by.id, _s.contact_id == contact_id)
    if not tx.execute(sa.delete(staff_contacts).where(theirs)).rowcount:
        raise Missing("there is no such messenger")
    eventlog.log(tx, "alarms_disconnected", now, staff_id=by.id)


def of_owners(tx: Tx) -> Sequence[Reached]:
    """Where owners can be told of something."""
    found = tx.execute(
        sa.select(_s.contact_id, contacts.c.channel, staff.c.language)
        .join_from(staff_contacts, contacts)
        .join(staff, staff.c.id == _s.staff_id)
        .where(staff.c.role == "owner", staff.c.disabled_at.is_(None), contacts.c.gone_at.is_(None))
        .order_by(_s.staff_id, _s.contact_id)
    )
    return [Reached._make(row) for row in found]


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()
