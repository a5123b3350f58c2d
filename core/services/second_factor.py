"""The second factor: codes of an authenticator app (RFC 6238 as all apps do it: SHA-1, six digits,
30 s), and recovery codes for the day the phone is lost. Each code opens once."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pyotp
import sqlalchemy as sa

from core.domain.roles import Member
from core.keys import Keys
from core.services import eventlog
from core.services.errors import Rejected
from core.storage.tables import staff, staff_codes
from core.storage.tx import Tx

STEP = 30
WINDOW = 1
"""Steps before and after that count too, for clocks that are off (RFC 6238, 5.2)."""
RECOVERY_CODES = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without look-alikes: sixteen of them are 79 bits, which need no slow hash."""
_PURPOSE = "totp"


def new_secret() -> str:
    """160 bits in base32, as apps take it."""
    return pyotp.random_base32()


def address(secret: str, login: str, business: str) -> str:
    """The `otpauth:` address that the QR for the app holds."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=business)


def is_on(tx: Tx, by: Member) -> bool:
    secret = tx.scalar(sa.select(staff.c.totp_secret).where(staff.c.id == by.id))
    return secret is not None


def codes_left(tx: Tx, by: Member) -> int:
    return len(tx.scalar(sa.select(staff.c.recovery_hashes).where(staff.c.id == by.id)) or ())


def switch_on(
    tx: Tx, by: Member, secret: str, code: str, keys: Keys, now: datetime
) -> Sequence[str]:
    """Returns the recovery codes, which nobody can tell later. Rejected where the code isn't the
    app's: the app would lock them out."""
    _hold(tx, by.id)
    if not _is_apps(tx, by.id, secret, _plain(code), now):
        raise Rejected("wrong_code", "that isn't the app's code")
    codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
    tx.execute(
        sa.update(staff)
        .where(staff.c.id == by.id)
        .values(
            totp_secret=keys.encrypt(secret.encode()),
            recovery_hashes=[_hash(_plain(one)) for one in codes],
        )
    )
    eventlog.log(tx, "second_factor_on", now, staff_id=by.id)
    return codes


def switch_off(tx: Tx, by: Member, now: datetime) -> None:
    clear(tx, by.id)
    eventlog.log(tx, "second_factor_off", now, staff_id=by.id)


def clear(tx: Tx, staff_id: int) -> None:
    nothing = {"totp_secret": None, "recovery_hashes": None}
    tx.execute(sa.update(staff).where(staff.c.id == staff_id).values(nothing))


def accepts(tx: Tx, staff_id: int, code: str, keys: Keys, now: datetime) -> bool:
    """Whether it is the app's code or a recovery code of theirs, which then is used up."""
    row = _hold(tx, staff_id)
    if row is None or row.disabled_at is not None or row.totp_secret is None:
        return False
    plain = _plain(code)
    try:
        secret = keys.decrypt(row.totp_secret).decode()
    except ValueError:  # a key of the installation is lost: the recovery codes still open
        secret = None
    if secret is not None and _is_apps(tx, staff_id, secret, plain, now):
        return True
    left = [one for one in row.recovery_hashes or () if one != _hash(plain)]
    if len(left) == len(row.recovery_hashes or ()):
        return False
    tx.execute(sa.update(staff).where(staff.c.id == staff_id).values(recovery_hashes=left))
    eventlog.log(tx, "recovery_code_used", now, staff_id=staff_id, left=len(left))
    return True


def _hold(tx: Tx, staff_id: int) -> Any:
    """The row, ours until the commit: of two who bring the same code at once one gets in."""
    columns = (staff.c.totp_secret, staff.c.recovery_hashes, staff.c.disabled_at)
    one = sa.select(*columns).where(staff.c.id == staff_id).with_for_update(key_share=True)
    return tx.execute(one).one_or_none()


def _is_apps(tx: Tx, staff_id: int, secret: str, code: str, now: datetime) -> bool:
    """A code that was seen over somebody's shoulder is worth nothing: its step is used up."""
    app = pyotp.TOTP(secret, interval=STEP)
    for step in range(-WINDOW, WINDOW + 1):
        at = now + timedelta(seconds=step * STEP)
        if code.isascii() and secrets.compare_digest(app.at(at), code):
            return _use_up(tx, staff_id, int(at.timestamp()) // STEP, now)
    return False


def _use_up(tx: Tx, staff_id: int, step: int, now: datetime) -> bool:
    """False where that step's code was used before."""
    used = hashlib.sha256(f"{_PURPOSE}:{staff_id}:{step}".encode()).digest()
    over = sa.and_(staff_codes.c.purpose == _PURPOSE, staff_codes.c.expires_at < now)
    tx.execute(sa.delete(staff_codes).where(staff_codes.c.staff_id == staff_id, over))
    if tx.scalar(sa.select(staff_codes.c.code_hash).where(staff_codes.c.code_hash == used)):
        return False
    tx.execute(
        sa.insert(staff_codes).values(
            code_hash=used,
            purpose=_PURPOSE,
            staff_id=staff_id,
            expires_at=now + timedelta(seconds=STEP * (2 * WINDOW + 2)),
            used_at=now,
        )
    )
    return True


def _plain(code: str) -> str:
    return "".join(character for character in code.lower() if character.isalnum())


def _recovery_code() -> str:
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(16))
    return "-".join(letters[start : start + 4] for start in range(0, 16, 4))


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
