"""What Malva keeps to run, and what happened while it ran."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from core.storage.tables.columns import json, ref, row_id, table, utc


class Task(SQLModel, table=True):
    """Something to ask a till system, durably: `fetch` of an order by its `ref`. Without a `pos` it
    is the coupon of the redemption `ref` (services/coupons.py)."""

    __table_args__ = (UniqueConstraint("pos", "cafe", "ref"), Index("ix_task_due", "due_at"))
    id: int | None = row_id()
    pos: str
    cafe: str
    ref: str
    arrived_at: datetime = utc()
    due_at: datetime = utc()
    attempts: int = 0
    claimed_until: datetime | None = utc(nullable=True)
    error: str | None = None


tasks = table(Task)


class Kept(SQLModel, table=True):
    """A value that a plugin or the machinery keeps: a cursor, a template's id."""

    owner: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    value: str


kept = table(Kept)


class Hold(SQLModel, table=True):
    """What only one node may do at a time. `fence` grows with every new holder."""

    name: str = Field(primary_key=True)
    holder: str
    fence: int
    until: datetime = utc()


holds = table(Hold)


class EventLog(SQLModel, table=True):
    """What happened, for people: never a phone number or a token in `data`."""

    __tablename__ = "event_log"
    __table_args__ = (
        Index("ix_event_log_cafe", "cafe_id", "id"),
        Index("ix_event_log_staff", "staff_id", "at"),
    )
    id: int | None = row_id()
    at: datetime = utc(index=True)
    kind: str
    cafe_id: int | None = ref("cafe", nullable=True)
    guest_id: int | None = ref("guest", nullable=True, index=True)
    till_id: int | None = ref("till", nullable=True)
    data: dict[str, Any] = json(nullable=False)
    staff_id: int | None = ref("staff", nullable=True)


event_log = table(EventLog)
