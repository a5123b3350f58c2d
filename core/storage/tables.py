"""Every table. Services write them through SQLAlchemy Core (`orders.c.points`), never a session.

Money columns end in `_minor` (whole minor units), points are integers, times are UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import BigInteger, CheckConstraint, Index, Table, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from core.storage.types import BigId, Json, Utc


def _id() -> Any:
    return Field(default=None, primary_key=True, sa_type=BigId)


def _ref(target: str, *, index: bool = False, nullable: bool = False) -> Any:
    return Field(
        default=None,
        foreign_key=f"{target}.id",
        sa_type=BigId,
        index=index,
        nullable=nullable,
    )


def _whole(default: int | None = None, *, nullable: bool = False) -> Any:
    """Money in minor units, and points: 64 bits on both databases."""
    return Field(
        default=default,
        sa_type=BigInteger,
        nullable=nullable,
    )


def _utc(*, nullable: bool = False, index: bool = False) -> Any:
    return Field(default=None, sa_type=Utc, nullable=nullable, index=index)


def _json(*, nullable: bool = True) -> Any:
    return Field(default=None, sa_type=Json, nullable=nullable)


# -- the business ----------------------------------------------------------------------------------


class Programme(SQLModel, table=True):
    """How points are earned and what they buy. `earn_minor` spent gives `earn_points`."""

    id: int | None = _id()
    name: str
    currency: str
    unit: str = "points"  # points · stamps
    earn_minor: int = _whole()
    earn_points: int = _whole()
    created_at: datetime = _utc()


class Cafe(SQLModel, table=True):
    id: int | None = _id()
    slug: str = Field(unique=True)
    name: str
    currency: str
    timezone: str
    programme_id: int = _ref("programme")
    created_at: datetime = _utc()


class Product(SQLModel, table=True):
    """A product worth `points` each, whatever its price. `names` by language."""

    __table_args__ = (UniqueConstraint("programme_id", "sku"),)
    id: int | None = _id()
    programme_id: int = _ref("programme", index=True)
    sku: str
    names: dict[str, str] = _json(nullable=False)
    points: int = _whole()
    active: bool = True


class Reward(SQLModel, table=True):
    id: int | None = _id()
    programme_id: int = _ref("programme", index=True)
    names: dict[str, str] = _json(nullable=False)
    cost: int = _whole()
    active: bool = True


class Till(SQLModel, table=True):
    """A till of a cafe. `token_hash` is SHA-256 of its bearer token, `station` the POS's own id."""

    id: int | None = _id()
    cafe_id: int = _ref("cafe", index=True)
    name: str
    token_hash: bytes = Field(unique=True)
    station: str | None = None
    created_at: datetime = _utc()
    revoked_at: datetime | None = _utc(nullable=True)
    locked_until: datetime | None = _utc(nullable=True)


class WrongCode(SQLModel, table=True):
    """A wrong code typed at a till, kept for the minute that it counts."""

    __tablename__ = "wrong_code"
    id: int | None = _id()
    till_id: int = _ref("till", index=True)
    at: datetime = _utc()


class Staff(SQLModel, table=True):
    id: int | None = _id()
    login: str = Field(unique=True)
    name: str
    role: str  # owner · manager · cashier
    password_hash: str
    created_at: datetime = _utc()
    disabled_at: datetime | None = _utc(nullable=True)


class StaffCafe(SQLModel, table=True):
    """Which cafes a manager or cashier belongs to; an owner belongs to all."""

    __tablename__ = "staff_cafe"
    staff_id: int = Field(primary_key=True, foreign_key="staff.id", sa_type=BigId)
    cafe_id: int = Field(primary_key=True, foreign_key="cafe.id", sa_type=BigId)


# -- guests ----------------------------------------------------------------------------------------


class Guest(SQLModel, table=True):
    """`secret` is the card's, encrypted. `card_version` is part of the live card's link: raising
    it revokes every link given out before. `phone_proven`: a messenger proved it."""

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
    id: int | None = _id()
    public_id: str = Field(unique=True)
    name: str
    language: str
    phone: str | None = None
    phone_proven: bool = False
    email: str | None = None
    birthday: str | None = None  # YYYY-MM-DD, or --MM-DD where the year was kept back
    home_cafe_id: int | None = _ref("cafe", index=True, nullable=True)
    offers: bool = False
    told_on: str | None = None  # the channel chosen for notifications; None: where heard last
    secret: bytes
    card_version: int = 1
    created_at: datetime = _utc()
    erased_at: datetime | None = _utc(nullable=True)
    merged_into: int | None = _ref("guest", nullable=True)


class Contact(SQLModel, table=True):
    """A guest's address on a channel, and where the conversation there stands (`state`). At
    `closed_at` the provider said that it takes nothing before the guest's next word."""

    __table_args__ = (UniqueConstraint("channel", "address"),)
    id: int | None = _id()
    channel: str
    address: str
    guest_id: int | None = _ref("guest", index=True, nullable=True)
    name: str | None = None
    language: str | None = None
    phone: str | None = None  # only if the messenger itself proved it
    state: dict[str, Any] | None = _json()
    gone_at: datetime | None = _utc(nullable=True)
    heard_at: datetime | None = _utc(nullable=True)
    closed_at: datetime | None = _utc(nullable=True)
    stored: int = 0  # the last Message.position, on channels that store
    created_at: datetime = _utc()


class OneTimeCode(SQLModel, table=True):
    """An eight-character code that the guest writes on another messenger, which then is theirs
    too. `contact_id` is the chat that it was given in; only SHA-256 of the code is kept."""

    __tablename__ = "one_time_code"
    code_hash: bytes = Field(primary_key=True)
    guest_id: int = _ref("guest", index=True)
    contact_id: int = _ref("contact")
    expires_at: datetime = _utc()


class Membership(SQLModel, table=True):
    """A guest is a cafe's by home, visit or order: that is whom its staff may see."""

    guest_id: int = Field(primary_key=True, foreign_key="guest.id", sa_type=BigId)
    cafe_id: int = Field(primary_key=True, foreign_key="cafe.id", sa_type=BigId, index=True)
    since: datetime = _utc()


class ImportedGuest(SQLModel, table=True):
    """A guest brought from elsewhere who waits to be claimed by a proven phone."""

    __tablename__ = "imported_guest"
    __table_args__ = (UniqueConstraint("phone", "cafe_id"),)
    id: int | None = _id()
    phone: str
    cafe_id: int = _ref("cafe")
    name: str
    language: str
    points: int = _whole()
    created_at: datetime = _utc()
    claimed_by: int | None = _ref("guest", nullable=True)
    claimed_at: datetime | None = _utc(nullable=True)


# -- the card --------------------------------------------------------------------------------------


class Lease(SQLModel, table=True):
    """A six-digit code that an open card holds: at most one per code, so at most a million rows.
    An expired one is taken over by whoever needs its code next."""

    code: str = Field(primary_key=True)
    guest_id: int = _ref("guest", index=True)
    step: int
    number: int  # which of the derived series
    expires_at: datetime = _utc()
    used_at: datetime | None = _utc(nullable=True)
    visit_id: int | None = _ref("visit", nullable=True)


class Visit(SQLModel, table=True):
    """An interval at a till that belongs to one guest: [opened_at, ends_at)."""

    __table_args__ = (Index("ix_visit_till", "till_id", "opened_at"),)
    id: int | None = _id()
    public_id: str = Field(unique=True)
    cafe_id: int = _ref("cafe")
    till_id: int = _ref("till")
    guest_id: int = _ref("guest", index=True)
    proof: str  # qr · code · phone
    opened_at: datetime = _utc()
    ends_at: datetime = _utc()
    taken: bool = False  # an order that didn't name it has claimed it


# -- orders and the ledger -------------------------------------------------------------------------


class Order(SQLModel, table=True):
    """`response` is what was first answered, given again to whoever repeats the request;
    `fingerprint` tells the same order from another under its name. What it gave its guest, and a
    refund takes back in proportion: `points`, and `carry_minor` added to what the account carries.
    `earned_minor` is the money that these stand for: what was left when the guest was found, and
    `programme_id` where they went, whatever programme the cafe has joined since."""

    __tablename__ = "orders"  # ORDER is SQL's own word
    __table_args__ = (
        UniqueConstraint("cafe_id", "source", "order_id"),
        UniqueConstraint("till_id", "idempotency_key"),
        Index("ix_orders_cafe_time", "cafe_id", "received_at"),
        Index("ix_orders_guest", "guest_id", "received_at"),
    )
    id: int | None = _id()
    cafe_id: int = _ref("cafe")
    source: str
    order_id: str
    till_id: int | None = _ref("till", nullable=True)
    idempotency_key: str | None = None
    fingerprint: bytes
    guest_id: int | None = _ref("guest", nullable=True)
    visit_id: int | None = _ref("visit", nullable=True)
    programme_id: int | None = _ref("programme", nullable=True)
    total_minor: int = _whole()
    currency: str
    paid_at: datetime | None = _utc(nullable=True)
    received_at: datetime = _utc()
    points: int = _whole(0)
    carry_minor: int = _whole(0)
    earned_minor: int = _whole(0)
    refunded_minor: int = _whole(0)
    because: list[dict[str, Any]] = _json(nullable=False)
    response: dict[str, Any] = _json(nullable=False)


class OrderLine(SQLModel, table=True):
    """`quantity` is decimal text; `price_minor` of one."""

    __tablename__ = "order_line"
    order_row: int = Field(primary_key=True, foreign_key="orders.id", sa_type=BigId)
    position: int = Field(primary_key=True)
    sku: str | None = None
    name: str
    quantity: str
    price_minor: int = _whole()


class Refund(SQLModel, table=True):
    """`order_row` None: parked until its order comes."""

    __table_args__ = (
        UniqueConstraint("cafe_id", "source", "refund_id"),
        UniqueConstraint("till_id", "idempotency_key"),
        Index("ix_refund_order", "cafe_id", "source", "order_id"),
    )
    id: int | None = _id()
    cafe_id: int = _ref("cafe")
    source: str
    order_id: str
    refund_id: str
    till_id: int | None = _ref("till", nullable=True)
    idempotency_key: str | None = None
    fingerprint: bytes
    order_row: int | None = _ref("orders", nullable=True)
    amount_minor: int | None = _whole(nullable=True)
    points: int = _whole(0)
    received_at: datetime = _utc()
    response: dict[str, Any] = _json(nullable=False)


class Account(SQLModel, table=True):
    """A guest's balance in a programme: always the sum of its entries. `carry_minor` is what the
    last orders left over that was too little for a point."""

    guest_id: int = Field(primary_key=True, foreign_key="guest.id", sa_type=BigId)
    programme_id: int = Field(primary_key=True, foreign_key="programme.id", sa_type=BigId)
    balance: int = _whole(0)
    carry_minor: int = _whole(0)


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
    id: int | None = _id()
    guest_id: int = _ref("guest")
    programme_id: int = _ref("programme")
    cafe_id: int | None = _ref("cafe", nullable=True)
    kind: str  # order · refund · opening · merge
    reference: str
    points: int = _whole()
    balance: int = _whole()  # after this entry
    because: list[dict[str, Any]] = _json(nullable=False)
    at: datetime = _utc()


# -- messages --------------------------------------------------------------------------------------


class SeenEvent(SQLModel, table=True):
    """A provider's event that was taken: its second coming is nothing new."""

    __tablename__ = "seen_event"
    channel: str = Field(primary_key=True)
    event_id: str = Field(primary_key=True)
    at: datetime = _utc(index=True)


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
    id: int | None = _id()
    contact_id: int = _ref("contact")
    channel: str
    lane: int  # 0 answer · 1 notification · 2 renewal of a card · 3 campaign
    kind: str
    body: dict[str, Any] = _json(nullable=False)
    replaces: int | None = Field(default=None, sa_type=BigId)
    status: str = "queued"
    uncertain: bool = False
    due_at: datetime = _utc()
    expires_at: datetime | None = _utc(nullable=True)
    attempts: int = 0
    claimed_until: datetime | None = _utc(nullable=True)
    provider_id: str | None = None
    error: str | None = None
    created_at: datetime = _utc()
    sent_at: datetime | None = _utc(nullable=True)
    position: int | None = None


class EarlyReceipt(SQLModel, table=True):
    """A status that came before the send call had told us the message's id; `consequence` is what
    its failure means besides: again, closed or gone (services/receipts.py)."""

    __tablename__ = "early_receipt"
    channel: str = Field(primary_key=True)
    provider_id: str = Field(primary_key=True)
    status: str
    error: str | None = None
    consequence: str | None = None
    at: datetime = _utc()


# -- the machinery ---------------------------------------------------------------------------------


class Task(SQLModel, table=True):
    """Something to ask a till system, durably: `fetch` of an order by its `ref`."""

    __table_args__ = (UniqueConstraint("pos", "cafe", "ref"), Index("ix_task_due", "due_at"))
    id: int | None = _id()
    pos: str
    cafe: str
    ref: str
    arrived_at: datetime = _utc()
    due_at: datetime = _utc()
    attempts: int = 0
    claimed_until: datetime | None = _utc(nullable=True)
    error: str | None = None


class Kept(SQLModel, table=True):
    """A value that a plugin or the machinery keeps: a cursor, a template's id."""

    owner: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    value: str


class Hold(SQLModel, table=True):
    """What only one node may do at a time. `fence` grows with every new holder."""

    name: str = Field(primary_key=True)
    holder: str
    fence: int
    until: datetime = _utc()


class EventLog(SQLModel, table=True):
    """What happened, for people: never a phone number or a token in `data`."""

    __tablename__ = "event_log"
    __table_args__ = (Index("ix_event_log_cafe", "cafe_id", "id"),)
    id: int | None = _id()
    at: datetime = _utc(index=True)
    kind: str
    cafe_id: int | None = _ref("cafe", nullable=True)
    guest_id: int | None = _ref("guest", nullable=True, index=True)
    till_id: int | None = _ref("till", nullable=True)
    data: dict[str, Any] = _json(nullable=False)


def _table(model: type[SQLModel]) -> Table:
    return cast(Table, model.__table__)  # type: ignore[attr-defined]


accounts = _table(Account)
cafes = _table(Cafe)
contacts = _table(Contact)
early_receipts = _table(EarlyReceipt)
event_log = _table(EventLog)
guests = _table(Guest)
holds = _table(Hold)
imported_guests = _table(ImportedGuest)
kept = _table(Kept)
leases = _table(Lease)
ledger_entries = _table(LedgerEntry)
memberships = _table(Membership)
messages = _table(Message)
order_lines = _table(OrderLine)
one_time_codes = _table(OneTimeCode)
orders = _table(Order)
products = _table(Product)
programmes = _table(Programme)
refunds = _table(Refund)
rewards = _table(Reward)
seen_events = _table(SeenEvent)
staff = _table(Staff)
staff_cafes = _table(StaffCafe)
tasks = _table(Task)
tills = _table(Till)
visits = _table(Visit)
wrong_codes = _table(WrongCode)
