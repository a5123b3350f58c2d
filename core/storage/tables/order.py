"""What was paid, and what of it was paid back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from core.storage.tables.columns import json, ref, row_id, table, utc, whole
from core.storage.types import BigId


class Order(SQLModel, table=True):
    """`response` is what was first answered, given again to whoever repeats the request;
    `fingerprint` tells the same order from another under its name. What it gave its guest, and a
    refund takes back in proportion: `points`, and `carry_minor` added to what the account carries.
    `earned_minor` is the money that these stand for: what was left when the guest was found, and
    `programme_id` where they went, whatever programme the cafe has joined since. `given_at`: when
    somebody gave it to its guest at a till; `taken_back`: how often that was undone."""

    __tablename__ = "orders"  # ORDER is SQL's own word
    __table_args__ = (
        UniqueConstraint("cafe_id", "source", "order_id"),
        UniqueConstraint("till_id", "idempotency_key"),
        Index("ix_orders_cafe_time", "cafe_id", "received_at"),
        Index("ix_orders_guest", "guest_id", "received_at"),
        Index(
            "ix_orders_staff",
            "staff_id",
            "received_at",
            sqlite_where=text("staff_id IS NOT NULL"),
            postgresql_where=text("staff_id IS NOT NULL"),
        ),
    )
    id: int | None = row_id()
    cafe_id: int = ref("cafe")
    source: str
    order_id: str
    till_id: int | None = ref("till", nullable=True)
    idempotency_key: str | None = None
    fingerprint: bytes
    guest_id: int | None = ref("guest", nullable=True)
    visit_id: int | None = ref("visit", nullable=True)
    programme_id: int | None = ref("programme", nullable=True)
    total_minor: int = whole()
    currency: str
    paid_at: datetime | None = utc(nullable=True)
    received_at: datetime = utc()
    points: int = whole(0)
    carry_minor: int = whole(0)
    earned_minor: int = whole(0)
    refunded_minor: int = whole(0)
    because: list[dict[str, Any]] = json(nullable=False)
    response: dict[str, Any] = json(nullable=False)
    staff_id: int | None = ref("staff", nullable=True)  # who entered it by hand
    given_at: datetime | None = utc(nullable=True)
    taken_back: int = 0


orders = table(Order)


class OrderLine(SQLModel, table=True):
    """`quantity` is decimal text; `price_minor` of one."""

    __tablename__ = "order_line"
    order_row: int = Field(primary_key=True, foreign_key="orders.id", sa_type=BigId)
    position: int = Field(primary_key=True)
    sku: str | None = None
    name: str
    quantity: str
    price_minor: int = whole()


order_lines = table(OrderLine)


class Refund(SQLModel, table=True):
    """`order_row` None: parked until its order comes."""

    __table_args__ = (
        UniqueConstraint("cafe_id", "source", "refund_id"),
        UniqueConstraint("till_id", "idempotency_key"),
        Index(
            "ix_refund_parked",
            "cafe_id",
            "source",
            "order_id",
            sqlite_where=text("order_row IS NULL"),
            postgresql_where=text("order_row IS NULL"),
        ),
    )
    id: int | None = row_id()
    cafe_id: int = ref("cafe")
    source: str
    order_id: str
    refund_id: str
    till_id: int | None = ref("till", nullable=True)
    idempotency_key: str | None = None
    fingerprint: bytes
    order_row: int | None = ref("orders", nullable=True)
    amount_minor: int | None = whole(nullable=True)
    points: int = whole(0)
    received_at: datetime = utc()
    response: dict[str, Any] = json(nullable=False)


refunds = table(Refund)
