"""Signing in: a password, then the code of an authenticator app where one is set up.

Whoever fails learns nothing from it: unknown, switched off, locked and wrong answer alike and take
alike. Hashing takes some 50 ms, so it is done between two transactions: `to_check` reads,
`matches` works (in a thread), `first_step` and `second_step` decide, and count.
https://cheatsheetseries.owasp.org/cheatsheets/Authentication_Cheat_Sheet.html
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from core.domain.roles import Member
from core.keys import Keys
from core.services import eventlog, second_factor, sessions
from core.services.staff import LONGEST_PASSWORD
from core.storage.tables import staff
from core.storage.tx import Tx

FREE_FAILURES = 5
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=15)
"""After five failures in a row each further one doubles the wait. It stops at a quarter of an hour:
whoever fails on purpose must not lock the owner out for a day."""


class ToCheck(NamedTuple):
    """What a password or PIN is held against; for an unknown login a hash that nothing matches."""

    staff_id: int | None
    secret_hash: str


class Known(NamedTuple):
    """Who gave the right password, and whether a second factor is still to be given."""

    staff_id: int
    second_factor: bool


@dataclass(frozen=True, slots=True)
class Passed:
    """The password was right. `token` is the new session's; None: `staff_id` still has to give the
    second factor."""

    staff_id: int
    token: str | None


def to_check(tx: Tx, login: str) -> ToCheck:
    return _to_check(tx, login, staff.c.password_hash)


def pin_to_check(tx: Tx, login: str) -> ToCheck:
    return _to_check(tx, login, staff.c.pin_hash)


def own(tx: Tx, by: Member) -> ToCheck:
    """For somebody signed in who has to prove again that it is them."""
    return to_check(tx, by.login)


def matches(check: ToCheck, secret: str) -> bool:
    """Whether it is the password, or the PIN. Slow: neither on the event loop nor in a
    transaction."""
    try:
        PasswordHasher().verify(check.secret_hash, secret[: LONGEST_PASSWORD + 1])
    except (VerificationError, InvalidHashError):
        return False
    return check.staff_id is not None


def first_step(
    tx: Tx, check: ToCheck, right: bool, user_agent: str, now: datetime
) -> Passed | None:
    """What a password opens; None where it opens nothing."""
    known = password(tx, check, right, now)
    if known is None:
        return None
    if known.second_factor:
        return Passed(known.staff_id, None)
    return Passed(known.staff_id, _enter(tx, known.staff_id, user_agent, now))


def second_step(
    tx: Tx, staff_id: int, given: str, keys: Keys, user_agent: str, now: datetime
) -> str | None:
    """The new session's token, for whoever has passed `first_step`; None for a wrong code."""
    if not code(tx, staff_id, given, keys, now):
        return None
    return _enter(tx, staff_id, user_agent, now)


def password(tx: Tx, check: ToCheck, right: bool, now: datetime) -> Known | None:
    """Whose password it was; None where it was nobody's, or nobody may try now."""
    if check.staff_id is None or not attempt(tx, check.staff_id, right, now):
        return None
    row = tx.execute(sa.select(staff).where(staff.c.id == check.staff_id)).one()
    if row.disabled_at is not None or row.password_hash != check.secret_hash:
        return None  # changed while the hash was worked out
    return Known(row.id, row.totp_secret is not None)


def code(tx: Tx, staff_id: int, given: str, keys: Keys, now: datetime) -> bool:
    """Whether it is theirs, for whoever has given their password."""
    if is_locked(tx, staff_id, now):
        return False  # before the code is looked at: a recovery code isn't used up for nothing
    right = second_factor.accepts(tx, staff_id, given, keys, now)
    return attempt(tx, staff_id, right, now)


def is_locked(tx: Tx, staff_id: int, now: datetime) -> bool:
    """From here on the row is ours, so no two failures count as one."""
    until: datetime | None = tx.scalar(
        sa.select(staff.c.locked_until)
        .where(staff.c.id == staff_id)
        .with_for_update(key_share=True)
    )
    return until is not None and until > now


def attempt(tx: Tx, staff_id: int, right: bool, now: datetime) -> bool:
    """Counts an attempt, right or wrong; whether it may pass. While the login is locked none does,
    not even the right one, and none counts."""
    if is_locked(tx, staff_id, now):
        return False
    if right:
        return True
    more = sa.update(staff).where(staff.c.id == staff_id).values(failures=staff.c.failures + 1)
    failures = tx.execute(more.returning(staff.c.failures)).scalar_one()
    locked = wait(failures)
    if locked:
        until = sa.update(staff).where(staff.c.id == staff_id).values(locked_until=now + locked)
        tx.execute(until)
        eventlog.log(tx, "sign_in_locked", now, staff_id=staff_id, failures=failures)
    return False


def forgive(tx: Tx, staff_id: int) -> None:
    """Forgets the failures: whoever it was has proved everything that there is to prove."""
    tx.execute(
        sa.update(staff)
        .where(staff.c.id == staff_id, staff.c.failures > 0)
        .values(failures=0, locked_until=None)
    )


def wait(failures: int) -> timedelta | None:
    """How long nobody gets in after so many failures in a row."""
    if failures < FREE_FAILURES:
        return None
    doubled = min(failures - FREE_FAILURES, 10)
    return min(FIRST_WAIT * (1 << doubled), LONGEST_WAIT)


def _enter(tx: Tx, staff_id: int, user_agent: str, now: datetime) -> str:
    forgive(tx, staff_id)
    eventlog.log(tx, "signed_in", now, staff_id=staff_id)
    return sessions.start(tx, staff_id, user_agent, now)


def _to_check(tx: Tx, login: str, secret: sa.ColumnElement[str | None]) -> ToCheck:
    row = tx.execute(
        sa.select(staff.c.id, secret).where(
            staff.c.login == login.strip().lower(),
            staff.c.disabled_at.is_(None),
            secret.is_not(None),
        )
    ).one_or_none()
    return ToCheck(None, _nobody()) if row is None else ToCheck._make(row)


@cache
def _nobody() -> str:
    return PasswordHasher().hash(secrets.token_urlsafe(32))
