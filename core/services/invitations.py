"""A guest's invitation: its code, what it promises, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from core.keys import Keys
from core.services import cards, guests
from core.storage.tables import cafes, invitations, programmes, referrals
from core.storage.tables import guests as guest_rows
from core.storage.tx import Tx

_i, _p, _r = invitations.c, programmes.c, referrals.c


@dataclass(frozen=True, slots=True)
class Terms:
    """What a programme gives for a friend's first paid order, to either side."""

    programme: str
    unit: str
    inviter_points: int
    friend_points: int


@dataclass(frozen=True, slots=True)
class Invitation:
    """One guest's. `terms` None: there is no programme yet. `friends` came by it; those who have
    paid an order have brought `brought` points."""

    code: str
    terms: Terms | None
    friends: int
    brought: int


@dataclass(frozen=True, slots=True)
class Promise:
    """What a code says to whoever opens its link. `cafe`: the slug of the inviter's own."""

    inviter_id: int
    cafe: str | None
    terms: Terms | None


def of_guest(tx: Tx, guest_id: int, now: datetime) -> Invitation:
    """The guest's invitation; it is made when it is first wanted, and stays the same."""
    code = tx.scalar(
        sa.select(_i.code).where(_i.guest_id == guest_id).order_by(_i.created_at).limit(1)
    )
    if code is None:
        code = guests.new_public_id()
        tx.execute(sa.insert(invitations).values(code=code, guest_id=guest_id, created_at=now))
    mine = sa.select(_r.inviter_points).where(_r.inviter_id == guest_id)
    given = list(tx.execute(mine).scalars())
    return Invitation(code, _terms(tx, guest_id), friends=len(given), brought=sum(given))


def of_token(tx: Tx, token: str, keys: Keys, now: datetime) -> tuple[str, Invitation] | None:
    """Of the guest whose live card a link opens, with their language; None where it isn't ours."""
    guest_id = cards.guest_of_token(tx, token, keys)
    if guest_id is None:
        return None
    return guests.profile(tx, guest_id).language, of_guest(tx, guest_id, now)


def look_up(tx: Tx, code: str) -> Promise | None:
    """None: it is nobody's, or nobody's any more."""
    row = tx.execute(
        sa.select(_i.guest_id, cafes.c.slug)
        .join_from(invitations, guest_rows)
        .outerjoin(cafes, cafes.c.id == guest_rows.c.home_cafe_id)
        .where(_i.code == code)
    ).first()
    return None if row is None else Promise(row.guest_id, row.slug, _terms(tx, row.guest_id))


def _terms(tx: Tx, guest_id: int) -> Terms | None:
    """Of the guest's home cafe, else of a programme in which they collect."""
    programme_id = guests.home_programme(tx, guest_id)
    if programme_id is None:
        collecting = guests.collecting(tx, guest_id)
        programme_id = collecting[0].programme_id if collecting else None
    row = tx.execute(
        sa.select(_p.name, _p.unit, _p.inviter_points, _p.friend_points).where(
            _p.id == programme_id
        )
    ).first()
    if row is None:
        return None
    return Terms(row.name, row.unit, row.inviter_points, row.friend_points)
