"""Staff: who may sign in, as what, and to which cafes."""

from __future__ import annotations

import re
from datetime import datetime

import sqlalchemy as sa
from argon2 import PasswordHasher

from core.services import cafes as cafe_service
from core.services import eventlog
from core.services.errors import NotPossible
from core.storage.tables import staff, staff_cafes
from core.storage.tx import Tx

ROLES = ("owner", "manager", "cashier")
LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,62}")
SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 1024
"""Long enough for any manager of passwords, short enough that hashing one costs nothing."""


def hash_password(password: str) -> str:
    """Argon2id with the library's defaults, which follow RFC 9106. Some 50 ms: call it before the
    transaction, never in it. NotPossible for a password that is too short or too long."""
    if len(password) < SHORTEST_PASSWORD:
        raise NotPossible(f"the password is too short: at least {SHORTEST_PASSWORD} characters")
    if len(password) > LONGEST_PASSWORD:
        raise NotPossible(f"the password is too long: at most {LONGEST_PASSWORD} characters")
    return PasswordHasher().hash(password)


def add(
    tx: Tx,
    login: str,
    name: str,
    role: str,
    cafe: str | None,
    password_hash: str,
    now: datetime,
) -> int:
    """A new member of staff; returns the row id.

    `cafe` is the slug of the cafe that a manager or cashier belongs to; an owner belongs to all.
    NotPossible for a login that is taken or malformed, or an unknown cafe.
    """
    login = login.strip().lower()
    if not LOGIN.fullmatch(login):
        raise NotPossible(f'"{login}" can\'t be a login: up to 63 of a-z, 0-9 and . _ @ + -')
    if role not in ROLES:
        raise NotPossible(f'"{role}" is no role: {", ".join(ROLES)}')
    if (role == "owner") == (cafe is not None):
        raise NotPossible("an owner belongs to all cafes, a manager or cashier to one: --cafe SLUG")
    if tx.scalar(sa.select(staff.c.id).where(staff.c.login == login)) is not None:
        raise NotPossible(f'there is a login "{login}" already')
    cafe_id = None if cafe is None else cafe_service.get(tx, cafe)
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
    if cafe_id is not None:
        tx.execute(sa.insert(staff_cafes).values(staff_id=staff_id, cafe_id=cafe_id))
    eventlog.log(tx, "staff_added", now, cafe_id=cafe_id, login=login, role=role)
    return int(staff_id)
