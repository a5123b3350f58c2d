"""What points buy, and what guests have picked of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from core.storage.tables.columns import json, ref, row_id, table, utc, whole
from core.storage.types import BigId


class Picture(SQLModel, table=True):
    """A picture that the owner brought: `type` is its media type."""

    id: int | None = row_id()
    type: str
    content: bytes
    created_at: datetime = utc()


pictures = table(Picture)


class Reward(SQLModel, table=True):
    """What points buy: a product, a percentage (`value` in hundredths of a percent) or an amount
    (`value` in minor units). `names` and `texts` by language. A guest can have it in
    [starts_at, ends_at), `per_guest` times at most, while `stock` lasts; None: no bound."""

    id: int | None = row_id()
    programme_id: int = ref("programme", index=True)
    names: dict[str, str] = json(nullable=False)
    cost: int = whole()
    active: bool = True
    texts: dict[str, str] | None = json()
    picture_id: int | None = ref("picture", nullable=True)
    kind: str = "product"  # product · percentage · amount
    value: int | None = whole(nullable=True)
    per_guest: int | None = None
    stock: int | None = None
    starts_at: datetime | None = utc(nullable=True)
    ends_at: datetime | None = utc(nullable=True)


rewards = table(Reward)


class RewardCost(SQLModel, table=True):
    """A cost that a reward had until `replaced_at`: whoever was within reach of it then keeps it
    for a while (services/rewards.py)."""

    __tablename__ = "reward_cost"
    id: int | None = row_id()
    reward_id: int = ref("reward", index=True)
    cost: int = whole()
    replaced_at: datetime = utc()


reward_costs = table(RewardCost)


class Redemption(SQLModel, table=True):
    """Rewards that a guest picked, held until a till confirms them or their time is up.

    status: awaiting_guest → held → confirmed → returned, or cancelled, expired. `token` is in the
    QR: 256 bits, encrypted, and its SHA-256 to find it by; `code` is typed instead. Neither is
    there where a till has started it. `cafe_id`, `till_id` and `visit_id`: the till that saw it
    last. `response` is what its confirmation was answered, `coupon` what became of the discount
    at the till system.
    """

    __table_args__ = (
        UniqueConstraint("till_id", "idempotency_key"),
        Index(
            "ix_redemption_open",
            "expires_at",
            sqlite_where=text("status IN ('awaiting_guest', 'held')"),
            postgresql_where=text("status IN ('awaiting_guest', 'held')"),
        ),
        Index("ix_redemption_guest", "guest_id", "programme_id", "status"),
        Index("ix_redemption_cafe", "cafe_id", "id"),
    )
    id: int | None = row_id()
    public_id: str = Field(unique=True)
    guest_id: int = ref("guest")
    programme_id: int = ref("programme")
    cafe_id: int | None = ref("cafe", nullable=True)
    status: str
    token_hash: bytes | None = Field(default=None, unique=True)
    token: bytes | None = None
    code: str | None = Field(default=None, unique=True)
    points: int = whole()
    created_at: datetime = utc()
    expires_at: datetime = utc()
    till_id: int | None = ref("till", nullable=True)
    visit_id: int | None = ref("visit", index=True, nullable=True)
    staff_id: int | None = ref("staff", nullable=True)
    idempotency_key: str | None = None
    confirmed_at: datetime | None = utc(nullable=True)
    response: dict[str, Any] | None = json()
    order_row: int | None = ref("orders", index=True, nullable=True)
    coupon: dict[str, Any] | None = json()


redemptions = table(Redemption)


class RedemptionItem(SQLModel, table=True):
    """One reward of a redemption, as it was when it was picked."""

    __tablename__ = "redemption_item"
    redemption_id: int = Field(primary_key=True, foreign_key="redemption.id", sa_type=BigId)
    position: int = Field(primary_key=True)
    reward_id: int = ref("reward", index=True)
    cost: int = whole()
    kind: str
    value: int | None = whole(nullable=True)
    names: dict[str, str] = json(nullable=False)


redemption_items = table(RedemptionItem)
