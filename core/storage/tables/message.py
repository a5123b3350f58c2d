"""The outbox, and the events that providers have told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from core.storage.tables.columns import json, ref, row_id, table, utc
from core.storage.types import BigId


class SeenEvent(SQLModel, table=True):
    """A provider's event that was taken: its second coming is nothing new."""

    __tablename__ = "seen_event"
    channel: str = Field(primary_key=True)
    event_id: str = Field(primary_key=True)
    at: datetime = utc(index=True)


seen_events = table(SeenEvent)


class Message(SQLModel, table=True):
    """The outbox. A row commits with its cause and is sent after. `body` is the message as the
    conversation means it; a card's holds no code until it is handed over (`kind`).

    status: queued → sending → sent → delivered → read, or failed, expired, cancelled; `waiting` for
    the guest's next word, where the messenger takes nothing before (services/window.py). Web chat
    keeps the guest's own words here too (kind `said`). `position` counts a contact's messages in
    the order in which they became visible, on channels that store.
    """

    __table_args__ = (
        Index("ix_message_due", "channel", "status", "lane", "due_at"),
        Index(
            "ix_message_open",
            "contact_id",
            "lane",
            "id",
            sqlite_where=text("status IN ('queued', 'sending')"),
            postgresql_where=text("status IN ('queued', 'sending')"),
        ),
        Index(
            "ix_message_waiting",
            "contact_id",
            sqlite_where=text("status = 'waiting'"),
            postgresql_where=text("status = 'waiting'"),
        ),
        Index("ix_message_contact", "contact_id", "position"),
        Index(
            "ix_message_provider",
            "channel",
            "provider_id",
            sqlite_where=text("provider_id IS NOT NULL"),
            postgresql_where=text("provider_id IS NOT NULL"),
        ),
        {"sqlite_autoincrement": True},  # an erased message's id is never another's
    )
    id: int | None = row_id()
    contact_id: int = ref("contact")
    channel: str
    lane: int  # 0 answer · 1 notification · 2 renewal of a card · 3 campaign
    kind: str
    body: dict[str, Any] = json(nullable=False)
    replaces: int | None = Field(default=None, sa_type=BigId)
    status: str = "queued"
    uncertain: bool = False
    due_at: datetime = utc()
    expires_at: datetime | None = utc(nullable=True)
    attempts: int = 0
    claimed_until: datetime | None = utc(nullable=True)
    provider_id: str | None = None
    error: str | None = None
    created_at: datetime = utc()
    sent_at: datetime | None = utc(nullable=True)
    position: int | None = None


messages = table(Message)


class EarlyReceipt(SQLModel, table=True):
    """A status that came before the send call had told us the message's id; `consequence` is what
    its failure means besides: again, closed or gone (services/receipts.py)."""

    __tablename__ = "early_receipt"
    channel: str = Field(primary_key=True)
    provider_id: str = Field(primary_key=True)
    status: str
    error: str | None = None
    consequence: str | None = None
    at: datetime = utc()


early_receipts = table(EarlyReceipt)
