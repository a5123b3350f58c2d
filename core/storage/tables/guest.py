"""Guests, where they are written to and how they came."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from core.storage.tables.columns import json, ref, row_id, table, utc, whole
from core.storage.types import BigId


class Guest(SQLModel, table=True):
    """`secret` is the card's, encrypted. `card_version` is part of the live card's link: raising
    it revokes every link given out before. `phone_proven`: a messenger proved it. `invited`: there
    is an open `referral`, kept here because every order reads its guest. `name_key`: of the name,
    to look it up by (`core/domain/spelling.py`)."""

    __table_args__ = (
        Index(
            "uq_guest_proven_phone",
            "phone",
            unique=True,
            sqlite_where=text("phone_proven = 1"),
            postgresql_where=text("phone_proven"),
        ),
        Index("ix_guest_phone", "phone"),
    )
    id: int | None = row_id()
    public_id: str = Field(unique=True)
    name: str
    language: str
    phone: str | None = None
    phone_proven: bool = False
    email: str | None = None
    birthday: str | None = None  # YYYY-MM-DD, or --MM-DD where the year was kept back
    home_cafe_id: int | None = ref("cafe", index=True, nullable=True)
    offers: bool = False
    told_on: str | None = None  # the channel chosen for notifications; None: where heard last
    secret: bytes
    card_version: int = 1
    created_at: datetime = utc()
    erased_at: datetime | None = utc(nullable=True)
    merged_into: int | None = ref("guest", nullable=True)
    invited: bool = False
    name_key: str = ""


guests = table(Guest)


class Contact(SQLModel, table=True):
    """A guest's address on a channel, and where the conversation there stands (`state`). At
    `closed_at` the provider said that it takes nothing before the guest's next word."""

    __table_args__ = (UniqueConstraint("channel", "address"),)
    id: int | None = row_id()
    channel: str
    address: str
    guest_id: int | None = ref("guest", index=True, nullable=True)
    name: str | None = None
    language: str | None = None
    phone: str | None = None  # only if the messenger itself proved it
    state: dict[str, Any] | None = json()
    gone_at: datetime | None = utc(nullable=True)
    heard_at: datetime | None = utc(nullable=True)
    closed_at: datetime | None = utc(nullable=True)
    stored: int = 0  # the last Message.position, on channels that store
    created_at: datetime = utc()


contacts = table(Contact)


class OneTimeCode(SQLModel, table=True):
    """An eight-character code that the guest writes on another messenger, which then is theirs
    too. `contact_id` is the chat that it was given in; only SHA-256 of the code is kept."""

    __tablename__ = "one_time_code"
    code_hash: bytes = Field(primary_key=True)
    guest_id: int = ref("guest", index=True)
    contact_id: int = ref("contact")
    expires_at: datetime = utc()


one_time_codes = table(OneTimeCode)


class Membership(SQLModel, table=True):
    """A guest is a cafe's by home, visit or order: that is whom its staff may see."""

    guest_id: int = Field(primary_key=True, foreign_key="guest.id", sa_type=BigId)
    cafe_id: int = Field(primary_key=True, foreign_key="cafe.id", sa_type=BigId, index=True)
    since: datetime = utc()


memberships = table(Membership)


class ImportedGuest(SQLModel, table=True):
    """A guest brought from elsewhere who waits to be claimed by a proven phone."""

    __tablename__ = "imported_guest"
    __table_args__ = (UniqueConstraint("phone", "cafe_id"),)
    id: int | None = row_id()
    phone: str
    cafe_id: int = ref("cafe")
    name: str
    language: str
    points: int = whole()
    created_at: datetime = utc()
    claimed_by: int | None = ref("guest", nullable=True)
    claimed_at: datetime | None = utc(nullable=True)


imported_guests = table(ImportedGuest)


class Invitation(SQLModel, table=True):
    """A code by which friends of a guest come; whoever two guests were merged from has several."""

    code: str = Field(primary_key=True)
    guest_id: int = ref("guest", index=True)
    created_at: datetime = utc()


invitations = table(Invitation)


class Referral(SQLModel, table=True):
    """A guest who came by another's invitation. `rewarded_at` None: hasn't paid an order yet; else
    `order_row` is that order, and the points are what it was recorded to have given to either."""

    __table_args__ = (
        Index(
            "uq_referral_open",
            "friend_id",
            unique=True,
            sqlite_where=text("rewarded_at IS NULL"),
            postgresql_where=text("rewarded_at IS NULL"),
        ),
        Index("ix_referral_friend", "friend_id"),
    )
    id: int | None = row_id()
    inviter_id: int = ref("guest", index=True)
    friend_id: int = ref("guest")
    created_at: datetime = utc()
    programme_id: int | None = ref("programme", nullable=True)
    order_row: int | None = ref("orders", index=True, nullable=True)
    inviter_points: int = whole(0)
    friend_points: int = whole(0)
    rewarded_at: datetime | None = utc(nullable=True)


referrals = table(Referral)
