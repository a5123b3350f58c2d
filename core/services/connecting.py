"""Connecting another messenger: a one-time code, given in one chat and written in the other."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from core.domain import linkcodes
from core.services import eventlog
from core.storage.tables import contacts, one_time_codes
from core.storage.tx import Tx

GOOD_FOR = timedelta(minutes=10)

_c = one_time_codes.c


@dataclass(frozen=True, slots=True)
class Offer:
    """Whose code was used, and the chat that it was given in."""

    guest_id: int
    contact_id: int


def offer(tx: Tx, guest_id: int, contact_id: int, now: datetime) -> str:
    """A code for the guest, in place of any that they were given before."""
    tx.execute(
        sa.delete(one_time_codes).where(sa.or_(_c.guest_id == guest_id, _c.expires_at <= now))
    )
    code = linkcodes.new(secrets.choice)
    tx.execute(
        sa.insert(one_time_codes).values(
            code_hash=_hash(code),
            guest_id=guest_id,
            contact_id=contact_id,
            expires_at=now + GOOD_FOR,
        )
    )
    return code


def use(tx: Tx, code: str, channel: str, now: datetime) -> Offer | None:
    """Takes a code, once; None where it is nobody's or too old. `channel`: where it was written."""
    row = tx.execute(
        sa.delete(one_time_codes)
        .where(_c.code_hash == _hash(code), _c.expires_at > now)
        .returning(_c.guest_id, _c.contact_id)
    ).first()
    if row is None:
        return None
    eventlog.log(tx, "messenger_connected", now, guest_id=row.guest_id, channel=channel)
    return Offer(row.guest_id, row.contact_id)


def channels_of(tx: Tx, guest_id: int) -> list[str]:
    """The channels on which the guest can be told of things, heard last first."""
    c = contacts.c
    rows = tx.execute(
        sa.select(c.channel)
        .where(c.guest_id == guest_id, c.gone_at.is_(None))
        .group_by(c.channel)
        .order_by(sa.func.max(c.heard_at).desc())
    )
    return list(rows.scalars())


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()
