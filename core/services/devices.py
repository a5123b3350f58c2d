"""Devices: browsers that are bound to a till, for its staff to work in. Whoever runs the cafe binds
one once; its cookie's token is 256 random bits, of which only the hash is kept."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from core.domain.roles import Member
from core.services import cafes as cafe_service
from core.services import eventlog
from core.services.cafes import CafeRow
from core.services.errors import Missing
from core.services.permission import places, require
from core.services.tills import Till, hash_of
from core.storage.tables import (
    cafes,
    devices,
    programmes,
    staff,
    staff_cafes,
    staff_sessions,
    tills,
)
from core.storage.tx import Tx

REMEMBERED = timedelta(days=60)
MOST_REMEMBERED = 5

_TILL = (tills.c.id, tills.c.name, *cafe_service.ROW)


@dataclass(frozen=True, slots=True)
class Device:
    """A browser that proved itself, and the till that it is bound to."""

    id: int
    name: str
    till: Till


class Listed(NamedTuple):
    """A device as those who run its cafe see it; `bound_by` is a name."""

    id: int
    till_id: int
    name: str
    bound_by: str
    created_at: datetime
    seen_at: datetime


class Known(NamedTuple):
    """Somebody who has signed in on a device before."""

    login: str
    name: str


def bind(tx: Tx, by: Member, till_id: int, name: str, now: datetime) -> str:
    """Binds a browser to a till; returns the token for its cookie. Missing where the till is none
    of theirs, or revoked; Rejected for a name that is empty or too long."""
    till = next((one for one in free_tills(tx, by) if one.id == till_id), None)
    if till is None:
        raise Missing("there is no such till")
    token = secrets.token_urlsafe(32)
    name = cafe_service.clean_name(name)
    tx.execute(
        sa.insert(devices).values(
            token_hash=hash_of(token),
            till_id=till.id,
            name=name,
            bound_by=by.id,
            created_at=now,
            seen_at=now,
        )
    )
    _log(tx, "device_bound", by, till, name, now)
    return token


def free_tills(tx: Tx, by: Member) -> Sequence[Till]:
    """The tills that `by` may bind a browser to, cafe by cafe."""
    require(by, "devices")
    theirs = [place.id for place in places(tx, by) if by.may("devices", place.id)]
    rows = tx.execute(
        sa.select(*_TILL)
        .join_from(tills, cafes)
        .join(programmes)
        .where(tills.c.cafe_id.in_(theirs), tills.c.revoked_at.is_(None))
        .order_by(tills.c.cafe_id, tills.c.id)
    )
    return [_till(row) for row in rows]


def of_token(tx: Tx, token: str) -> Device | None:
    """The device whose cookie says `token`; None where it, or its till, was revoked."""
    row = tx.execute(
        sa.select(devices.c.id, devices.c.name, *_TILL)
        .join_from(devices, tills)
        .join(cafes)
        .join(programmes)
        .where(
            devices.c.token_hash == hash_of(token),
            devices.c.revoked_at.is_(None),
            tills.c.revoked_at.is_(None),
        )
    ).one_or_none()
    return None if row is None else _device(row)


def everyone(tx: Tx, by: Member) -> Sequence[Listed]:
    """The devices that work, of the tills of the cafes that are theirs."""
    require(by, "devices")
    d = devices.c
    rows = tx.execute(
        sa.select(d.id, d.till_id, d.name, staff.c.name, d.created_at, d.seen_at)
        .join_from(devices, tills)
        .join(staff, staff.c.id == d.bound_by)
        .where(
            tills.c.cafe_id.in_([place.id for place in places(tx, by)]),
            tills.c.revoked_at.is_(None),
            d.revoked_at.is_(None),
        )
        .order_by(d.id)
    )
    return [Listed._make(row) for row in rows]


def revoke(tx: Tx, by: Member, device_id: int, now: datetime) -> None:
    """Nobody works in that browser any more, from their next click on. Missing where it is of none
    of their tills, or revoked."""
    found = next((one for one in everyone(tx, by) if one.id == device_id), None)
    if found is None:
        raise Missing("there is no such device")
    till = next(one for one in free_tills(tx, by) if one.id == found.till_id)
    tx.execute(sa.update(devices).where(devices.c.id == device_id).values(revoked_at=now))
    _log(tx, "device_revoked", by, till, found.name, now)


def seen(tx: Tx, device_id: int, now: datetime) -> None:
    tx.execute(sa.update(devices).where(devices.c.id == device_id).values(seen_at=now))


def regulars(tx: Tx, device: Device, now: datetime) -> Sequence[Known]:
    """Who signed in on this device lately and still may, the last one first: a PIN is asked of
    them without their login."""
    last = sa.func.max(staff_sessions.c.created_at)
    here = sa.select(staff_cafes.c.staff_id).where(staff_cafes.c.cafe_id == device.till.cafe.id)
    rows = tx.execute(
        sa.select(staff.c.login, staff.c.name)
        .join_from(staff_sessions, staff, staff_sessions.c.staff_id == staff.c.id)
        .where(
            staff_sessions.c.device_id == device.id,
            staff_sessions.c.created_at > now - REMEMBERED,
            staff.c.disabled_at.is_(None),
            staff.c.pin_hash.is_not(None),
            sa.or_(staff.c.role == "owner", staff.c.id.in_(here)),
        )
        .group_by(staff.c.id, staff.c.login, staff.c.name)
        .order_by(last.desc())
        .limit(MOST_REMEMBERED)
    )
    return [Known._make(row) for row in rows]


def _till(row: Sequence[Any]) -> Till:
    return Till(row[0], row[1], CafeRow(*row[2:]))


def _device(row: Sequence[Any]) -> Device:
    return Device(row[0], row[1], _till(row[2:]))


def _log(tx: Tx, kind: str, by: Member, till: Till, name: str, now: datetime) -> None:
    eventlog.log(tx, kind, now, cafe_id=till.cafe.id, till_id=till.id, staff_id=by.id, device=name)
