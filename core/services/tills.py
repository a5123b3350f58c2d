"""Tills: each has a bearer token of its own, of which only the hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from core.services import cafes as cafe_service
from core.services import eventlog
from core.services.cafes import CafeRow
from core.services.errors import NotPossible
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


_BY_TOKEN = Prepared(
    sa.select(tills.c.id, tills.c.name, *cafe_service.ROW)
    .join_from(tills, cafes)
    .join(programmes)
    .where(tills.c.token_hash == sa.bindparam("token_hash"), tills.c.revoked_at.is_(None))
)


def add(tx: Tx, cafe: str, name: str, station: str | None, now: datetime) -> str:
    """A new till of the cafe with slug `cafe`; returns its token, which nobody can tell later.

    `station` is the POS's own id of the till. NotPossible for an unknown cafe, a name that the
    cafe has already, or a station that another till has.
    """
    cafe_id = cafe_service.get(tx, cafe)
    name = cafe_service.clean_name(name)
    station = _clean_station(station)
    _check_free(tx, cafe_id, tills.c.name == name, f'{cafe} has a till "{name}" already')
    if station is not None:
        taken = f'another till of {cafe} is station "{station}" already'
        _check_free(tx, cafe_id, tills.c.station == station, taken)
    token = PREFIX + secrets.token_urlsafe(32)
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
    eventlog.log(tx, "till_added", now, cafe_id=cafe_id, till_id=till_id)
    return token


def by_token(tx: Tx, token: str) -> Till | None:
    """The till whose bearer token this is; None for a wrong or revoked one."""
    row = tx.run(_BY_TOKEN, token_hash=hash_of(token))
    return None if row is None else Till(row[0], row[1], CafeRow(*row[2:]))


def hash_of(token: str) -> bytes:
    """SHA-256: a token of 256 random bits needs no slow hash, and is looked up by it."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _clean_station(station: str | None) -> str | None:
    if station is None:
        return None
    station = station.strip()
    if not station or len(station) > STATION_LENGTH or not station.isprintable():
        raise NotPossible(f"a station is 1 to {STATION_LENGTH} printable characters")
    return station


def _check_free(tx: Tx, cafe_id: int, same: sa.ColumnElement[bool], taken: str) -> None:
    found = tx.scalar(
        sa.select(tills.c.id).where(tills.c.cafe_id == cafe_id, tills.c.revoked_at.is_(None), same)
    )
    if found is not None:
        raise NotPossible(taken)
