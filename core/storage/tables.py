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
    """How points are earned and what they buy. `earn_minor` spent gives `earn_points`. Points
    expire `expiry_months` after they were earned; None: never. An invited friend's first paid order
    gives `inviter_points` to whoever invited, `friend_points` to the friend. `merged_into`: where
    its last cafe went, and every balance with it (services/sharing.py)."""

    id: int | None = _id()
    name: str
    currency: str
    unit: str = "points"  # points · stamps
    earn_minor: int = _whole()
    earn_points: int = _whole()
    created_at: datetime = _utc()
    expiry_months: int | None = None
    inviter_points: int = _whole(100)
    friend_points: int = _whole(100)
    merged_into: int | None = _ref("programme", nullable=True)


class Cafe(SQLModel, table=True):
    id: int | None = _id()
    slug: str = Field(unique=True)
    name: str
    currency: str
    timezone: str
    programme_id: int = _ref("programme")
    created_at: datetime = _utc()


class Product(SQLModel, table=True):
    """A product worth `points` each, whatever its price; None: it earns by its price. `names` by
    language; `sku` is the till system's; `price_minor` of one is for purchases entered by hand."""

    __table_args__ = (UniqueConstraint("programme_id", "sku"),)
    id: int | None = _id()
    programme_id: int = _ref("programme", index=True)
    sku: str | None = None
    names: dict[str, str] = _json(nullable=False)
    points: int | None = _whole(nullable=True)
    active: bool = True
    price_minor: int | None = _whole(nullable=True)


class Picture(SQLModel, table=True):
    """A picture that the owner brought: `type` is its media type."""

    id: int | None = _id()
    type: str
    content: bytes
    created_at: datetime = _utc()


class Reward(SQLModel, table=True):
    """What points buy: a product, a percentage (`value` in hundredths of a percent) or an amount
    (`value` in minor units). `names` and `texts` by language. A guest can have it in
    [starts_at, ends_at), `per_guest` times at most, while `stock` lasts; None: no bound."""

    id: int | None = _id()
    programme_id: int = _ref("programme", index=True)
    names: dict[str, str] = _json(nullable=False)
    cost: int = _whole()
    active: bool = True
    texts: dict[str, str] | None = _json()
    picture_id: int | None = _ref("picture", nullable=True)
    kind: str = "product"  # product · percentage · amount
    value: int | None = _whole(nullable=True)
    per_guest: int | None = None
    stock: int | None = None
    starts_at: datetime | None = _utc(nullable=True)
    ends_at: datetime | None = _utc(nullable=True)


class RewardCost(SQLModel, table=True):
    """A cost that a reward had until `replaced_at`: whoever was within reach of it then keeps it
    for a while (services/rewards.py)."""

    __tablename__ = "reward_cost"
    id: int | None = _id()
    reward_id: int = _ref("reward", index=True)
    cost: int = _whole()
    replaced_at: datetime = _utc()


class BonusRule(SQLModel, table=True):
    """What gives points on top. `params` are the kind's own; the rule counts in
    [starts_at, ends_at), `per_guest` times at most, while `spent_points` are within
    `budget_points`; None: no bound."""

    __tablename__ = "bonus_rule"
    id: int | None = _id()
    programme_id: int = _ref("programme", index=True)
    kind: str  # welcome · birthday · first_of_day · nth_visit · happy_hours · product_multiplier
    #            · spend_over
    names: dict[str, str] = _json(nullable=False)
    params: dict[str, Any] = _json(nullable=False)
    starts_at: datetime | None = _utc(nullable=True)
    ends_at: datetime | None = _utc(nullable=True)
    per_guest: int | None = None
    budget_points: int | None = _whole(nullable=True)
    spent_points: int = _whole(0)
    active: bool = True
    created_at: datetime = _utc()


class BonusUse(SQLModel, table=True):
    """What a rule has given a guest for an order."""

    __tablename__ = "bonus_use"
    __table_args__ = (Index("ix_bonus_use_rule_guest", "rule_id", "guest_id"),)
    id: int | None = _id()
    rule_id: int = _ref("bonus_rule")
    guest_id: int = _ref("guest", index=True)
    order_row: int | None = _ref("orders", index=True, nullable=True)
    points: int = _whole()
    at: datetime = _utc()


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
    """Whoever works here. `pin_hash` is for the cashier's page, where it is set at the first
    sign-in; `totp_secret` is encrypted; of the recovery codes only hashes are kept. The limits
    are of manual points and of look-ups; None: no limit."""

    id: int | None = _id()
    login: str = Field(unique=True)
    name: str
    role: str  # owner · manager · cashier
    password_hash: str
    created_at: datetime = _utc()
    disabled_at: datetime | None = _utc(nullable=True)
    pin_hash: str | None = None
    totp_secret: bytes | None = None
    recovery_hashes: list[str] | None = _json()
    failures: int = 0
    locked_until: datetime | None = _utc(nullable=True)
    language: str | None = None
    points_a_day: int | None = None
    lookups_an_hour: int | None = None


class StaffCafe(SQLModel, table=True):
    """Which cafes a manager or cashier belongs to; an owner belongs to all."""

    __tablename__ = "staff_cafe"
    staff_id: int = Field(primary_key=True, foreign_key="staff.id", sa_type=BigId)
    cafe_id: int = Field(primary_key=True, foreign_key="cafe.id", sa_type=BigId)


class Device(SQLModel, table=True):
    """A browser that a manager has bound to a till; `token_hash` is SHA-256 of its cookie's."""

    id: int | None = _id()
    token_hash: bytes = Field(unique=True)
    till_id: int = _ref("till", index=True)
    name: str
    bound_by: int = _ref("staff")
    created_at: datetime = _utc()
    seen_at: datetime = _utc()
    revoked_at: datetime | None = _utc(nullable=True)


class StaffSession(SQLModel, table=True):
    """Somebody signed in: on the portal, or on a till's `device`. `token_hash` is SHA-256 of the
    cookie's token; `csrf` is what its forms carry."""

    __tablename__ = "staff_session"
    id: int | None = _id()
    token_hash: bytes = Field(unique=True)
    staff_id: int = _ref("staff", index=True)
    device_id: int | None = _ref("device", index=True, nullable=True)
    csrf: str
    created_at: datetime = _utc()
    seen_at: datetime = _utc()
    expires_at: datetime = _utc(index=True)
    revoked_at: datetime | None = _utc(nullable=True)
    user_agent: str = ""


class StaffContact(SQLModel, table=True):
    """A messenger of the staff's own, where alarms go."""

    __tablename__ = "staff_contact"
    staff_id: int = Field(primary_key=True, foreign_key="staff.id", sa_type=BigId)
    contact_id: int = Field(primary_key=True, foreign_key="contact.id", sa_type=BigId)
    created_at: datetime = _utc()


class Alarm(SQLModel, table=True):
    """One card got far more by an employee's hand than others (services/alarms.py): `points`, with
    `times` purchases, when it was noticed at `raised_at`."""

    id: int | None = _id()
    staff_id: int = _ref("staff", index=True)
    guest_id: int = _ref("guest", index=True)
    programme_id: int = _ref("programme")
    times: int
    points: int = _whole()
    raised_at: datetime = _utc()
    seen_at: datetime | None = _utc(nullable=True)
    seen_by: int | None = _ref("staff", nullable=True)


class StaffCode(SQLModel, table=True):
    """A one-time code of the staff's: `link` connects a messenger. Only SHA-256 of it is kept."""

    __tablename__ = "staff_code"
    code_hash: bytes = Field(primary_key=True)
    purpose: str
    staff_id: int = _ref("staff", index=True)
    expires_at: datetime = _utc()
    used_at: datetime | None = _utc(nullable=True)


# -- guests ----------------------------------------------------------------------------------------


class Guest(SQLModel, table=True):
    """`secret` is the card's, encrypted. `card_version` is part of the live card's link: raising
    it revokes every link given out before. `phone_proven`: a messenger proved it. `invited`: there
    is an open `referral`, kept here because every order reads its guest."""

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
    invited: bool = False


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


class Invitation(SQLModel, table=True):
    """A code by which friends of a guest come; whoever two guests were merged from has several."""

    code: str = Field(primary_key=True)
    guest_id: int = _ref("guest", index=True)
    created_at: datetime = _utc()


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
    id: int | None = _id()
    inviter_id: int = _ref("guest", index=True)
    friend_id: int = _ref("guest")
    created_at: datetime = _utc()
    programme_id: int | None = _ref("programme", nullable=True)
    order_row: int | None = _ref("orders", index=True, nullable=True)
    inviter_points: int = _whole(0)
    friend_points: int = _whole(0)
    rewarded_at: datetime | None = _utc(nullable=True)


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
    staff_id: int | None = _ref("staff", nullable=True)  # who entered it by hand
    given_at: datetime | None = _utc(nullable=True)
    taken_back: int = 0


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
    last orders left over that was too little for a point. `expiry_months` and `merged_into` are the
    programme's, kept here because every movement reads its account: without the one there are no
    lots to be kept, with the other it is the account there that moves."""

    guest_id: int = Field(primary_key=True, foreign_key="guest.id", sa_type=BigId)
    programme_id: int = Field(primary_key=True, foreign_key="programme.id", sa_type=BigId)
    balance: int = _whole(0)
    carry_minor: int = _whole(0)
    expiry_months: int | None = None
    merged_into: int | None = _ref("programme", nullable=True)


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
    kind: str  # order · undo · refund · opening · merge · redeem · return · expire · referral
    reference: str
    points: int = _whole()
    balance: int = _whole()  # after this entry
    because: list[dict[str, Any]] = _json(nullable=False)
    at: datetime = _utc()


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
    id: int | None = _id()
    guest_id: int = _ref("guest")
    programme_id: int = _ref("programme")
    left_points: int = _whole()
    expires_at: datetime = _utc()
    warned: int = 0


class LotUse(SQLModel, table=True):
    """What a movement (its ledger `reference`) took out of a lot, so that what comes back keeps
    its date."""

    __tablename__ = "lot_use"
    reference: str = Field(primary_key=True)
    lot_id: int = Field(primary_key=True, foreign_key="lot.id", sa_type=BigId)
    points: int = _whole()


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
    id: int | None = _id()
    public_id: str = Field(unique=True)
    guest_id: int = _ref("guest")
    programme_id: int = _ref("programme")
    cafe_id: int | None = _ref("cafe", nullable=True)
    status: str
    token_hash: bytes | None = Field(default=None, unique=True)
    token: bytes | None = None
    code: str | None = Field(default=None, unique=True)
    points: int = _whole()
    created_at: datetime = _utc()
    expires_at: datetime = _utc()
    till_id: int | None = _ref("till", nullable=True)
    visit_id: int | None = _ref("visit", index=True, nullable=True)
    staff_id: int | None = _ref("staff", nullable=True)
    idempotency_key: str | None = None
    confirmed_at: datetime | None = _utc(nullable=True)
    response: dict[str, Any] | None = _json()
    order_row: int | None = _ref("orders", index=True, nullable=True)
    coupon: dict[str, Any] | None = _json()


class RedemptionItem(SQLModel, table=True):
    """One reward of a redemption, as it was when it was picked."""

    __tablename__ = "redemption_item"
    redemption_id: int = Field(primary_key=True, foreign_key="redemption.id", sa_type=BigId)
    position: int = Field(primary_key=True)
    reward_id: int = _ref("reward", index=True)
    cost: int = _whole()
    kind: str
    value: int | None = _whole(nullable=True)
    names: dict[str, str] = _json(nullable=False)


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
    """Something to ask a till system, durably: `fetch` of an order by its `ref`. Without a `pos` it
    is the coupon of the redemption `ref` (services/coupons.py)."""

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
    __table_args__ = (
        Index("ix_event_log_cafe", "cafe_id", "id"),
        Index("ix_event_log_staff", "staff_id", "at"),
    )
    id: int | None = _id()
    at: datetime = _utc(index=True)
    kind: str
    cafe_id: int | None = _ref("cafe", nullable=True)
    guest_id: int | None = _ref("guest", nullable=True, index=True)
    till_id: int | None = _ref("till", nullable=True)
    data: dict[str, Any] = _json(nullable=False)
    staff_id: int | None = _ref("staff", nullable=True)


def _table(model: type[SQLModel]) -> Table:
    return cast(Table, model.__table__)  # type: ignore[attr-defined]


accounts = _table(Account)
alarms = _table(Alarm)
bonus_rules = _table(BonusRule)
bonus_uses = _table(BonusUse)
cafes = _table(Cafe)
contacts = _table(Contact)
devices = _table(Device)
early_receipts = _table(EarlyReceipt)
event_log = _table(EventLog)
guests = _table(Guest)
holds = _table(Hold)
imported_guests = _table(ImportedGuest)
invitations = _table(Invitation)
kept = _table(Kept)
leases = _table(Lease)
ledger_entries = _table(LedgerEntry)
lot_uses = _table(LotUse)
lots = _table(Lot)
memberships = _table(Membership)
messages = _table(Message)
order_lines = _table(OrderLine)
one_time_codes = _table(OneTimeCode)
orders = _table(Order)
pictures = _table(Picture)
products = _table(Product)
programmes = _table(Programme)
redemption_items = _table(RedemptionItem)
redemptions = _table(Redemption)
referrals = _table(Referral)
refunds = _table(Refund)
reward_costs = _table(RewardCost)
rewards = _table(Reward)
seen_events = _table(SeenEvent)
staff = _table(Staff)
staff_cafes = _table(StaffCafe)
staff_codes = _table(StaffCode)
staff_contacts = _table(StaffContact)
staff_sessions = _table(StaffSession)
tasks = _table(Task)
tills = _table(Till)
visits = _table(Visit)
wrong_codes = _table(WrongCode)
