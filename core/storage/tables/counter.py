"""A cafe's tills, and whose card is at one of them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from core.storage.tables.columns import ref, row_id, table, utc


class Till(SQLModel, table=True):
    """A till of a cafe. `token_hash` is SHA-256 of its bearer token, `station` the POS's own id."""

    id: int | None = row_id()
    cafe_id: int = ref("cafe", index=True)
    name: str
    token_hash: bytes = Field(unique=True)
    station: str | None = None
    created_at: datetime = utc()
    revoked_at: datetime | None = utc(nullable=True)
    locked_until: datetime | None = utc(nullable=True)


tills = table(Till)


class Device(SQLModel, table=True):
    """A browser that a manager has bound to a till; `token_hash` is SHA-256 of its cookie's."""

    id: int | None = row_id()
    token_hash: bytes = Field(unique=True)
    till_id: int = ref("till", index=True)
    name: str
    bound_by: int = ref("staff")
    created_at: datetime = utc()
    seen_at: datetime = utc()
    revoked_at: datetime | None = utc(nullable=True)


devices = table(Device)


class WrongCode(SQLModel, table=True):
    """A wrong code typed at a till, kept for the minute that it counts."""

    __tablename__ = "wrong_code"
    id: int | None = row_id()
    till_id: int = ref("till", index=True)
    at: datetime = utc()


wrong_codes = table(WrongCode)


class Lease(SQLModel, table=True):
    """A six-digit code that an open card holds: at most one per code, so at most a million rows.
    An expired one is taken over by whoever needs its code next."""

    code: str = Field(primary_key=True)
    guest_id: int = ref("guest", index=True)
    step: int
    number: int  # which of the derived series
    expires_at: datetime = utc()
    used_at: datetime | None = utc(nullable=True)
    visit_id: int | None = ref("visit", nullable=True)


leases = table(Lease)


class Visit(SQLModel, table=True):
    """An interval at a till that belongs to one guest: [opened_at, ends_at)."""

    __table_args__ = (Index("ix_visit_till", "till_id", "opened_at"),)
    id: int | None = row_id()
    public_id: str = Field(unique=True)
    cafe_id: int = ref("cafe")
    till_id: int = ref("till")
    guest_id: int = ref("guest", index=True)
    proof: str  # qr · code · phone
    opened_at: datetime = utc()
    ends_at: datetime = utc()
    taken: bool = False  # an order that didn't name it has claimed it


visits = table(Visit)
