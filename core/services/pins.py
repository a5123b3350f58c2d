"""PINs: what staff sign in with at a till, in a browser that is bound to it. Nothing else opens by
a PIN. It is chosen there by whoever has proved their password, and a wrong one counts to the same
lock (`sign_in.attempt`): of four digits nobody guesses many.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import sqlalchemy as sa
from argon2 import PasswordHasher

from core.services import devices, eventlog, sessions, sign_in, till_sessions
from core.services.devices import Device
from core.services.errors import Forbidden, Rejected
from core.services.sign_in import ToCheck
from core.storage.tables import staff
from core.storage.tx import Tx

SHORTEST = 4
LONGEST = 8


def hash_pin(pin: str) -> str:
    """Argon2id. Some 50 ms: call it before the transaction, never in it. Rejected for what is no
    PIN, or one that whoever looks over a shoulder would try first."""
    if not (pin.isascii() and pin.isdigit() and SHORTEST <= len(pin) <= LONGEST):
        raise Rejected("pin", f"a PIN has {SHORTEST} to {LONGEST} digits")
    if _is_weak(pin):
        raise Rejected("pin_weak", "the PIN is too easy to guess")
    return PasswordHasher().hash(pin)


def sign_in_by(
    tx: Tx, check: ToCheck, right: bool, device_token: str, user_agent: str, now: datetime
) -> str | None:
    """The new session's token; None for a wrong PIN, a locked login, and somebody who doesn't work
    in that cafe: whoever fails learns nothing from it."""
    if check.staff_id is None or not sign_in.attempt(tx, check.staff_id, right, now):
        return None
    same = sa.select(staff.c.id).where(
        staff.c.id == check.staff_id, staff.c.pin_hash == check.secret_hash
    )
    device = devices.of_token(tx, device_token)
    if device is None or tx.scalar(same) is None or not works_at(tx, check.staff_id, device):
        return None
    sign_in.forgive(tx, check.staff_id)
    return till_sessions.start(tx, check.staff_id, device, user_agent, now)


def choose(
    tx: Tx, staff_id: int, pin_hash: str, device_token: str, user_agent: str, now: datetime
) -> str:
    """A PIN for whoever has just proved that it is them, with all that the portal asks for; returns
    the new session's token, their only one on a till. Forbidden where they don't work in the cafe
    of that device."""
    device = devices.of_token(tx, device_token)
    if device is None or not works_at(tx, staff_id, device):
        raise Forbidden("not their cafe")
    tx.execute(sa.update(staff).where(staff.c.id == staff_id).values(pin_hash=pin_hash))
    sessions.revoke_on_tills(tx, staff_id, now)
    sign_in.forgive(tx, staff_id)
    cafe = device.till.cafe
    eventlog.log(tx, "pin_chosen", now, cafe_id=cafe.id, till_id=device.till.id, staff_id=staff_id)
    return till_sessions.start(tx, staff_id, device, user_agent, now)


def works_at(tx: Tx, staff_id: int, device: Device) -> bool:
    member = sessions.member(tx, staff_id)
    return member is not None and member.may("till", device.till.cafe.id)


def _is_weak(pin: str) -> bool:
    """One digit over and over, digits in even steps (1234, 8765, 2468), a pair repeated (1212)."""
    digits = [int(digit) for digit in pin]
    steps = {(after - before) % 10 for before, after in pairwise(digits)}
    return len(steps) == 1 or pin == (pin[:2] * LONGEST)[: len(pin)]
