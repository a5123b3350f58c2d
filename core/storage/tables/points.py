"""What a guest has in a programme, and each movement of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from core.storage.tables.columns import json, ref, row_id, table, utc, whole
from core.storage.types import BigId


class Account(SQLModel, table=True):
    """A guest's balance in a programme: always the sum of its entries. `carry_minor` is what the
    last orders left over that was too little for a point. `expiry_months` and `merged_into` are the
    programme's, kept here because every movement reads its account: without the one there are no
    lots to be kept, with the other it is the account there that moves."""

    guest_id: int = Field(primary_key=True, foreign_key="guest.id", sa_type=BigId)
    programme_id: int = Field(primary_key=True, foreign_key="programme.id", sa_type=BigId)
    balance: int = whole(0)
    carry_minor: int = whole(0)
    expiry_months: int | None = None
    merged_into: int | None = ref("programme", nullable=True)


accounts = table(Account)


class LedgerEntry(SQLModel, table=True):
    """One movement of points; never changed, never deleted (a trigger sees to it). `reference`
    makes each movement unique: `order:17`, `refund:3`, `opening:5`."""

    __tablename__ = "ledger_entry"
    __table_args__ = (
        UniqueConstraint("guest_id", "programme_id", "reference"),
        CheckConstraint("points <> 0"),
        Index("ix_ledger_account", "guest_id", "programme_id", "id"),
        Index("ix_ledger_time", "at"),
    )
    id: int | None = row_id()
    guest_id: int = ref("guest")
    programme_id: int = ref("programme")
    cafe_id: int | None = ref("cafe", nullable=True)
    kind: str  # order · undo · refund · opening · merge · redeem · return · expire · referral
    reference: str
    points: int = whole()
    balance: int = whole()  # after this entry
    because: list[dict[str, Any]] = json(nullable=False)
    at: datetime = utc()


ledger_entries = table(LedgerEntry)


class Lot(SQLModel, table=True):
    """Points that were given together and expire together, in programmes where points expire: an
    account's lots add up to its balance, or to 0 below zero. `warned`: 1 a month, 2 a week
    before."""

    __table_args__ = (
        Index("ix_lot_account", "guest_id", "programme_id", "expires_at"),
        Index(
            "ix_lot_left",
            "expires_at",
            sqlite_where=text("left_points > 0"),
            postgresql_where=text("left_points > 0"),
        ),
        CheckConstraint("left_points >= 0"),
    )
    id: int | None = row_id()
    guest_id: int = ref("guest")
    programme_id: int = ref("programme")
    left_points: int = whole()
    expires_at: datetime = utc()
    warned: int = 0


lots = table(Lot)


class LotUse(SQLModel, table=True):
    """What a movement (its ledger `reference`) took out of a lot, so that what comes back keeps
    its date."""

    __tablename__ = "lot_use"
    reference: str = Field(primary_key=True)
    lot_id: int = Field(primary_key=True, foreign_key="lot.id", sa_type=BigId)
    points: int = whole()


lot_uses = table(LotUse)
