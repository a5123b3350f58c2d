"""Staff: who may sign in, as what, and to which cafes."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from argon2 import PasswordHasher

from core.domain.roles import ROLES, Member, may_appoint
from core.services import cafes as cafe_service
from core.services import eventlog, second_factor, sessions
from core.services.errors import Forbidden, Missing, Rejected
from core.services.permission import require
from core.storage.tables import cafes, staff, staff_cafes
from core.storage.tx import Tx

LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,62}")
SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 1024
"""Long enough for any manager of passwords, short enough that hashing one costs nothing."""


class Limits(NamedTuple):
    """What somebody may do at tills (services/limits.py): points given by hand in a day, look-ups
    within an hour. None: as much as they like."""

    points_a_day: int | None = None
    lookups_an_hour: int | None = None


@dataclass(frozen=True, slots=True)
class Colleague:
    """A member of staff as another one sees them: `cafes` are the slugs of those that both have to
    do with. `pin`: whether they have chosen one. `may_change`: whether the other may."""

    id: int
    login: str
    name: str
    role: str
    cafes: Sequence[str]
    active: bool
    second_factor: bool
    pin: bool
    limits: Limits
    may_change: bool


def hash_password(password: str) -> str:
    """Argon2id with the library's defaults, which follow RFC 9106. Some 50 ms: call it before the
    transaction, never in it. Rejected for a password that is too short or too long."""
    if len(password) < SHORTEST_PASSWORD:
        raise Rejected(
            "password_short",
            f"the password is too short: at least {SHORTEST_PASSWORD} characters",
        )
    if len(password) > LONGEST_PASSWORD:
        raise Rejected(
            "password_long", f"the password is too long: at most {LONGEST_PASSWORD} characters"
        )
    return PasswordHasher().hash(password)


def add(
    tx: Tx,
    login: str,
    name: str,
    role: str,
    slugs: Collection[str],
    password_hash: str,
    now: datetime,
    *,
    by: Member | None = None,
) -> int:
    """A new member of staff; returns the row id.

    `slugs` are the cafes that a manager or cashier belongs to; an owner belongs to all. Rejected
    for a login that is taken or malformed, an unknown cafe, or none; Forbidden where `by` may not
    appoint such a one.
    """
    login = login.strip().lower()
    if not LOGIN.fullmatch(login):
        why = f'"{login}" can\'t be a login: up to 63 of a-z, 0-9 and . _ @ + -'
        raise Rejected("login_malformed", why)
    cafe_ids = _place(tx, by, role, slugs)
    if tx.scalar(sa.select(staff.c.id).where(staff.c.login == login)) is not None:
        raise Rejected("login_taken", f'there is a login "{login}" already')
    staff_id = tx.scalar(
        sa.insert(staff)
        .values(
            login=login,
            name=cafe_service.clean_name(name),
            role=role,
            password_hash=password_hash,
            created_at=now,
        )
        .returning(staff.c.id)
    )
    _belong(tx, staff_id, cafe_ids)
    _log(tx, "staff_added", by, staff_id, now, role=role)
    return int(staff_id)


def everyone(tx: Tx, by: Member) -> Sequence[Colleague]:
    """Those whom `by` may see, the ones who can sign in first: an owner sees everybody, a manager
    who works in their cafes."""
    require(by, "employees")
    slugs = {row.id: row.slug for row in tx.execute(sa.select(cafes.c.id, cafes.c.slug))}
    works: dict[int, set[int]] = {}
    for row in tx.execute(sa.select(staff_cafes)):
        works.setdefault(row.staff_id, set()).add(row.cafe_id)
    rows = tx.execute(sa.select(staff).order_by(staff.c.disabled_at.is_not(None), staff.c.name))
    return [
        _colleague(by, row, works.get(row.id, set()), slugs)
        for row in rows
        if by.role == "owner" or works.get(row.id, set()) & by.cafes
    ]


def one(tx: Tx, by: Member, staff_id: int) -> Colleague:
    """Missing for whom `by` may not see."""
    for colleague in everyone(tx, by):
        if colleague.id == staff_id:
            return colleague
    raise Missing("there is no such member of staff")


def change(
    tx: Tx,
    by: Member,
    staff_id: int,
    *,
    name: str,
    role: str,
    slugs: Collection[str],
    now: datetime,
) -> None:
    """Name, role and cafes; they count from the next click on. Rejected as in `add`, and for the
    last owner, who has to stay one."""
    before = _to_change(tx, by, staff_id)
    cafe_ids = _place(tx, by, role, slugs)
    if before.role == "owner" and role != "owner":
        _keep_an_owner(tx, staff_id)
    name = cafe_service.clean_name(name)
    tx.execute(sa.update(staff).where(staff.c.id == staff_id).values(name=name, role=role))
    tx.execute(sa.delete(staff_cafes).where(staff_cafes.c.staff_id == staff_id))
    _belong(tx, staff_id, cafe_ids)
    _log(tx, "staff_changed", by, staff_id, now, role=role)


def switch_off(tx: Tx, by: Member, staff_id: int, now: datetime) -> None:
    """They are signed out everywhere and can't sign in. Rejected for the last owner."""
    if _to_change(tx, by, staff_id).role == "owner":
        _keep_an_owner(tx, staff_id)
    tx.execute(sa.update(staff).where(staff.c.id == staff_id).values(disabled_at=now))
    sessions.revoke_all(tx, staff_id, now)
    _log(tx, "staff_off", by, staff_id, now)


def switch_on(tx: Tx, by: Member, staff_id: int, now: datetime) -> None:
    _to_change(tx, by, staff_id)
    tx.execute(sa.update(staff).where(staff.c.id == staff_id).values(disabled_at=None))
    _log(tx, "staff_on", by, staff_id, now)


def reset_password(
    tx: Tx,
    by: Member,
    staff_id: int,
    password_hash: str,
    *,
    without_second_factor: bool,
    now: datetime,
) -> None:
    """For somebody who forgot theirs, or lost the phone with their app: they are signed out."""
    _to_change(tx, by, staff_id)
    _set_password(tx, staff_id, password_hash)
    if without_second_factor:
        second_factor.clear(tx, staff_id)
    sessions.revoke_all(tx, staff_id, now)
    _log(tx, "password_reset", by, staff_id, now)


def clear_pin(tx: Tx, by: Member, staff_id: int, now: datetime) -> None:
    """For one that somebody else has seen: they are signed out of every till, and choose another
    there with their password."""
    _to_change(tx, by, staff_id)
    tx.execute(sa.update(staff).where(staff.c.id == staff_id).values(pin_hash=None))
    sessions.revoke_on_tills(tx, staff_id, now)
    _log(tx, "pin_cleared", by, staff_id, now)


def limit(tx: Tx, by: Member, staff_id: int, limits: Limits, now: datetime) -> None:
    """What they do from now on is held to it, with what they did before."""
    _to_change(tx, by, staff_id)
    tx.execute(sa.update(staff).where(staff.c.id == staff_id).values(limits._asdict()))
    _log(tx, "staff_limited", by, staff_id, now, **limits._asdict())


def change_own_password(
    tx: Tx, by: Member, password_hash: str, session_id: int, now: datetime
) -> None:
    """Everywhere but in the session `session_id` they are signed out."""
    _set_password(tx, by.id, password_hash)
    sessions.revoke_all(tx, by.id, now, but=session_id)
    _log(tx, "password_changed", by, by.id, now)


def choose_language(tx: Tx, by: Member, language: str) -> None:
    tx.execute(sa.update(staff).where(staff.c.id == by.id).values(language=language))


def _set_password(tx: Tx, staff_id: int, password_hash: str) -> None:
    tx.execute(
        sa.update(staff)
        .where(staff.c.id == staff_id)
        .values(password_hash=password_hash, failures=0, locked_until=None)
    )


def _to_change(tx: Tx, by: Member, staff_id: int) -> Colleague:
    """Whom `by` may change: nobody takes a role from themselves, or their own way in."""
    found = one(tx, by, staff_id)
    if found.id == by.id:
        raise Rejected("yourself", "that is for somebody else to do")
    if not found.may_change:
        raise Forbidden(f"{by.login} may not change {found.login}")
    return found


def _keep_an_owner(tx: Tx, staff_id: int) -> None:
    """The owners' rows are ours until the commit: of two who switch each other off one stays."""
    owners = tx.execute(
        sa.select(staff.c.id)
        .where(staff.c.role == "owner", staff.c.disabled_at.is_(None))
        .order_by(staff.c.id)
        .with_for_update(key_share=True)
    ).scalars()
    if not set(owners) - {staff_id}:
        raise Rejected("last_owner", "there has to be an owner")


def _place(tx: Tx, by: Member | None, role: str, slugs: Collection[str]) -> list[int]:
    """The row ids of the cafes for somebody who is to be `role` there."""
    if role not in ROLES:
        raise Rejected("role", f'"{role}" is no role: {", ".join(ROLES)}')
    if by is not None and not may_appoint(by.role, role):
        raise Forbidden(f"{by.login} may not appoint a {role}")
    if (role == "owner") == bool(slugs):
        why = "an owner belongs to all cafes, a manager or cashier to one: --cafe SLUG"
        raise Rejected("cafes", why)
    cafe_ids = [cafe_service.get(tx, slug) for slug in sorted(set(slugs))]
    for cafe_id in cafe_ids:
        require(by, "employees", cafe_id)
    return cafe_ids


def _belong(tx: Tx, staff_id: int, cafe_ids: Sequence[int]) -> None:
    for cafe_id in cafe_ids:
        tx.execute(sa.insert(staff_cafes).values(staff_id=staff_id, cafe_id=cafe_id))


def _colleague(by: Member, row: Any, works: set[int], slugs: dict[int, str]) -> Colleague:
    whole = by.role == "owner" or (bool(works) and works <= by.cafes)
    return Colleague(
        id=row.id,
        login=row.login,
        name=row.name,
        role=row.role,
        cafes=[slugs[cafe_id] for cafe_id in sorted(works) if by.has(cafe_id)],
        active=row.disabled_at is None,
        second_factor=row.totp_secret is not None,
        pin=row.pin_hash is not None,
        limits=Limits(row.points_a_day, row.lookups_an_hour),
        may_change=row.id != by.id and whole and may_appoint(by.role, row.role),
    )


def _log(tx: Tx, kind: str, by: Member | None, staff_id: int, now: datetime, **data: Any) -> None:
    """One entry for each of their cafes, so that each one's manager sees it; one of none for an
    owner."""
    row = tx.execute(sa.select(staff.c.login).where(staff.c.id == staff_id)).one()
    who = None if by is None else by.id
    cafe_ids: list[int | None] = [*sorted(sessions.cafes_of(tx, staff_id))]
    for cafe_id in cafe_ids or [None]:
        eventlog.log(tx, kind, now, cafe_id=cafe_id, staff_id=who, login=row.login, **data)
