"""A programme, its cafes and what they sell."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from core.storage.tables.columns import json, ref, row_id, table, utc, whole


class Programme(SQLModel, table=True):
    """How points are earned and what they buy. `earn_minor` spent gives `earn_points`. Points
    expire `expiry_months` after they were earned; None: never. An invited friend's first paid order
    gives `inviter_points` to whoever invited, `friend_points` to the friend. `merged_into`: where
    its last cafe went, and every balance with it (services/sharing.py)."""

    id: int | None = row_id()
    name: str
    currency: str
    unit: str = "points"  # points · stamps
    earn_minor: int = whole()
    earn_points: int = whole()
    created_at: datetime = utc()
    expiry_months: int | None = None
    inviter_points: int = whole(100)
    friend_points: int = whole(100)
    merged_into: int | None = ref("programme", nullable=True)


programmes = table(Programme)


class Cafe(SQLModel, table=True):
    id: int | None = row_id()
    slug: str = Field(unique=True)
    name: str
    currency: str
    timezone: str
    programme_id: int = ref("programme")
    created_at: datetime = utc()


cafes = table(Cafe)


class Product(SQLModel, table=True):
    """A product worth `points` each, whatever its price; None: it earns by its price. `names` by
    language; `sku` is the till system's; `price_minor` of one is for purchases entered by hand."""

    __table_args__ = (UniqueConstraint("programme_id", "sku"),)
    id: int | None = row_id()
    programme_id: int = ref("programme", index=True)
    sku: str | None = None
    names: dict[str, str] = json(nullable=False)
    points: int | None = whole(nullable=True)
    active: bool = True
    price_minor: int | None = whole(nullable=True)


products = table(Product)
