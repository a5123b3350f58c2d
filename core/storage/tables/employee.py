"""The staff: how they sign in, where they belong, what was noticed about them."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from core.storage.tables.columns import json, ref, row_id, table, utc, whole
from core.storage.types import BigId


class Staff(SQLModel, table=True):
    """Whoever works here. `pin_hash` is for the cashier's page, where it is set at the first
    sign-in; `totp_secret` is encrypted; of the recovery codes only hashes are kept. The limits
    are of manual points and of look-ups; None: no limit."""

    id: int | None = row_id()
    login: str = Field(unique=True)
    name: str
    role: str  # owner · manager · cashier
    password_hash: str
    created_at: datetime = utc()
    disabled_at: datetime | None = utc(nullable=True)
    pin_hash: str | None = None
    totp_secret: bytes | None = None
    recovery_hashes: list[str] | None = json()
    failures: int = 0
    locked_until: datetime | None = utc(nullable=True)
    language: str | None = None
    points_a_day: int | None = None
    lookups_an_hour: int | None = None


staff = table(Staff)


class StaffCafe(SQLModel, table=True):
    """Which cafes a manager or cashier belongs to; an owner belongs to all."""

    __tablename__ = "staff_cafe"
    staff_id: int = Field(primary_key=True, foreign_key="staff.id", sa_type=BigId)
    cafe_id: int = Field(primary_key=True, foreign_key="cafe.id", sa_type=BigId)


staff_cafes = table(StaffCafe)


class StaffSession(SQLModel, table=True):
    """Somebody signed in: on the portal, or on a till's `device`. `token_hash` is SHA-256 of the
    cookie's token; `csrf` is what its forms carry."""

    __tablename__ = "staff_session"
    id: int | None = row_id()
    token_hash: bytes = Field(unique=True)
    staff_id: int = ref("staff", index=True)
    device_id: int | None = ref("device", index=True, nullable=True)
    csrf: str
    created_at: datetime = utc()
    seen_at: datetime = utc()
    expires_at: datetime = utc(index=True)
    revoked_at: datetime | None = utc(nullable=True)
    user_agent: str = ""


staff_sessions = table(StaffSession)


class StaffContact(SQLModel, table=True):
    """A messenger of the staff's own, where alarms go."""

    __tablename__ = "staff_contact"
    staff_id: int = Field(primary_key=True, foreign_key="staff.id", sa_type=BigId)
    contact_id: int = Field(primary_key=True, foreign_key="contact.id", sa_type=BigId)
    created_at: datetime = utc()


staff_contacts = table(StaffContact)


class StaffCode(SQLModel, table=True):
    """A one-time code of the staff's: `link` connects a messenger. Only SHA-256 of it is kept."""

    __tablename__ = "staff_code"
    code_hash: bytes = Field(primary_key=True)
    purpose: str
    staff_id: int = ref("staff", index=True)
    expires_at: datetime = utc()
    used_at: datetime | None = utc(nullable=True)


staff_codes = table(StaffCode)


class Alarm(SQLModel, table=True):
    """One card got far more by an employee's hand than others (services/alarms.py): `points`, with
    `times` purchases, when it was noticed at `raised_at`."""

    id: int | None = row_id()
    staff_id: int = ref("staff", index=True)
    guest_id: int = ref("guest", index=True)
    programme_id: int = ref("programme")
    times: int
    points: int = whole()
    raised_at: datetime = utc()
    seen_at: datetime | None = utc(nullable=True)
    seen_by: int | None = ref("staff", nullable=True)


alarms = table(Alarm)
