"""Tills: each has a bearer token of its own, of which only the hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from core.domain.roles import Member
from core.services import cafes as cafe_service
from core.services import eventlog
from core.services.cafes import CafeRow
from core.services.errors import Missing, Rejected
from core.services.permission import places, require
from core.storage.tables import cafes, programmes, tills
from core.storage.tx import Prepared, Tx

PREFIX = "mt_"
"""So that a token is recognised wherever it turns up, by people and by secret scanners."""

STATION_LENGTH = 100


@dataclass(frozen=True, slots=True)
class Till:
    """A till that proved itself, and the cafe it stands in."""

    id: int
    name: str
    cafe: CafeRow


class Listed(NamedTuple):
    """A till as those who run its cafe see it. `revoked_at`: since then its token opens nothing."""

    id: int
    cafe_id: int
    name: str
    station: str | None
    created_at: datetime
    revoked_at: datetime | None


_BY_TOKEN = Prepared(
    sa.select(tills.c.id, tills.c.name, *cafe_service.ROW)
    .join_from(tills, cafes)
    .join(programmes)
    .where(tills.c.token_hash == sa.bindparam("token_hash"), tills.c.revoked_at.is_(None))
)


def add(
    tx: Tx,
    cafe: str,
    name: str,
    station: str | None,
    now: datetime,
    *,
    by: Member | None = None,
) -> str:
    """A new till of the cafe with slug `cafe`; returns its token, which nobody can tell later.

    `station` is the POS's own id of the till. NotPossible for an unknown cafe, a name that the
    cafe has already, or a station that another till has. Forbidden where `by` may not.
    """
    cafe_id = cafe_service.get(tx, cafe)
    require(by, "tills", cafe_id)
    name = cafe_service.clean_name(name)
    station = _clean_station(station)
    taken = f'{cafe} has a till "{name}" already'
    _check_free(tx, cafe_id, tills.c.name == name, "till_name_taken", taken)
    if station is not None:
        taken = f'another till of {cafe} is station "{station}" already'
        _check_free(tx, cafe_id, tills.c.station == station, "station_taken", taken)
    token = _new_token()
    till_id = tx.scalar(
        sa.insert(tills)
        .values(
            cafe_id=cafe_id,
            name=name,
            token_hash=hash_of(token),
            station=station,
            created_at=now,
        )
        .returning(tills.c.id)
    )
    eventlog.log(
        tx,
        "till_added",
        now,
        cafe_id=cafe_id,
        till_id=till_id,
        staff_id=None if by is None else by.id,
    )
    return token


def everyone(tx: Tx, by: Member) -> Sequence[Listed]:
    """The tills of the cafes that are theirs, those that work first."""
    require(by, "tills")
    columns = (getattr(tills.c, field) for field in Listed._fields)
    rows = tx.execute(
        sa.select(*columns)
        .where(tills.c.cafe_id.in_([place.id for place in places(tx, by)]))
        .order_by(tills.c.revoked_at.is_not(None), tills.c.id)
    )
    return [Listed._make(row) for row in rows]


def renew(tx: Tx, by: Member, till_id: int, now: datetime) -> str:
    """A new token for a till; the old one opens nothing from now on."""
    till = _working(tx, by, till_id)
    token = _new_token()
    tx.execute(sa.update(tills).where(tills.c.id == till.id).values(token_hash=hash_of(token)))
    eventlog.log(
        tx, "till_token_renewed", now, cafe_id=till.cafe_id, till_id=till.id, staff_id=by.id
    )
    return token


def revoke(tx: Tx, by: Member, till_id: int, now: datetime) -> None:
    """Its token opens nothing from now on, for ever. Its orders stay what they are."""
    till = _working(tx, by, till_id)
    tx.execute(sa.update(tills).where(tills.c.id == till.id).values(revoked_at=now))
    eventlog.log(tx, "till_revoked", now, cafe_id=till.cafe_id, till_id=till.id, staff_id=by.id)


def by_token(tx: Tx, token: str) -> Till | None:
    """The till whose bearer token this is; None for a wrong or revoked one."""
    return tx.once(_by_token, token)


def _by_token(tx: Tx, token: str) -> Till | None:
    row = tx.run(_BY_TOKEN, token_hash=hash_of(token))
    return None if row is None else Till(row[0], row[1], CafeRow(*row[2:]))


def hash_of(token: str) -> bytes:
    """SHA-256: a token of 256 random bits needs no slow hash, and is looked up by it."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _working(tx: Tx, by: Member, till_id: int) -> Listed:
    """Missing where it is none of theirs, or revoked."""
    for till in everyone(tx, by):
        if till.id == till_id and till.revoked_at is None:
            require(by, "tills", till.cafe_id)
            return till
    raise Missing("there is no such till")


def _new_token() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def _clean_station(station: str | None) -> str | None:
    if station is None:
        return None
    station = station.strip()
    if not station or len(station) > STATION_LENGTH or not station.isprintable():
        raise Rejected("station", f"a station is 1 to {STATION_LENGTH} printable characters")
    return station


def _check_free(tx: Tx, cafe_id: int, same: sa.ColumnElement[bool], code: str, taken: str) -> None:
    found = tx.scalar(
        sa.select(tills.c.id).where(tills.c.cafe_id == cafe_id, tills.c.revoked_at.is_(None), same)
    )
    if found is not None:
        raise Rejected(code, taken)
