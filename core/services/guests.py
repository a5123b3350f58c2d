"""Guests: registering, what they may change of themselves, whose guests they are."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from core.domain.spelling import name_key
from core.keys import Keys
from core.storage.tables import accounts, cafes, guests, memberships, programmes
from core.storage.tx import Prepared, Tx

SECRET_BYTES = 20
_PUBLIC_ID_BYTES = 10

SETTINGS = ("language", "name", "phone", "email", "birthday", "offers", "told_on")
"""What a guest changes of themselves; the home cafe too, by `move_home`."""

_g = guests.c

_PROFILE = Prepared(
    sa.select(
        _g.id,
        _g.public_id,
        _g.name,
        _g.language,
        _g.phone,
        _g.phone_proven,
        _g.email,
        _g.birthday,
        _g.offers,
        _g.told_on,
        cafes.c.slug,
        cafes.c.name,
    )
    .select_from(guests)
    .outerjoin(cafes, cafes.c.id == _g.home_cafe_id)
    .where(_g.id == sa.bindparam("guest"))
)


class Profile(NamedTuple):
    """What a guest told of themselves. `birthday`: YYYY-MM-DD, or --MM-DD without the year;
    `told_on`: the channel chosen for notifications; `home`: slug and name of the home cafe."""

    id: int
    public_id: str
    name: str
    language: str
    phone: str | None
    phone_proven: bool
    email: str | None
    birthday: str | None
    offers: bool
    told_on: str | None
    home: tuple[str, str] | None


def add(
    tx: Tx,
    *,
    name: str,
    language: str,
    cafe_id: int | None,
    keys: Keys,
    now: datetime,
    phone: str | None = None,
    phone_proven: bool = False,
) -> int:
    """A new guest, of `cafe_id` by home; returns the row id. `name` is clean, `phone` E.164.

    A phone that is proven must be nobody else's: see `linking.holder`.
    """
    guest_id: int = tx.execute(
        sa.insert(guests)
        .values(
            public_id=new_public_id(),
            **named(name),
            language=language,
            phone=phone,
            phone_proven=phone is not None and phone_proven,
            home_cafe_id=cafe_id,
            secret=keys.encrypt(secrets.token_bytes(SECRET_BYTES)),
            created_at=now,
        )
        .returning(_g.id)
    ).scalar_one()
    if cafe_id is not None:
        join(tx, guest_id, cafe_id, now)
    return guest_id


def named(name: str) -> dict[str, str]:
    """The columns of a guest's name: it never changes without the key that it is found by."""
    return {"name": name, "name_key": name_key(name)}


def new_public_id() -> str:
    """16 characters of base32 (80 random bits): short in a QR, never guessed, fit for a URL."""
    return base64.b32encode(secrets.token_bytes(_PUBLIC_ID_BYTES)).decode()


def join(tx: Tx, guest_id: int, cafe_id: int, now: datetime) -> bool:
    """The guest is that cafe's from now on; False where they were before."""
    insert = sqlite.insert if tx.is_sqlite else postgresql.insert
    added = tx.execute(
        insert(memberships)
        .values(guest_id=guest_id, cafe_id=cafe_id, since=now)
        .on_conflict_do_nothing()
        .returning(memberships.c.cafe_id)
    )
    return added.first() is not None


def profile(tx: Tx, guest_id: int) -> Profile:
    row = tx.run(_PROFILE, guest=guest_id)
    if row is None:
        raise LookupError(f"there is no guest {guest_id}")
    id_, public_id, name, language, phone, proven, email, birthday, offers, told_on, *home = row
    return Profile(
        id=id_,
        public_id=public_id,
        name=name,
        language=language,
        phone=phone,
        phone_proven=bool(proven),
        email=email,
        birthday=birthday,
        offers=bool(offers),
        told_on=told_on,
        home=None if home[0] is None else (home[0], home[1]),
    )


def find(tx: Tx, public_id: str) -> int | None:
    """The row id of the guest that goes by this public id: of the one they became, where two were
    merged. None where there is none, or none any more."""
    row = tx.execute(
        sa.select(_g.id, _g.merged_into, _g.erased_at).where(_g.public_id == public_id)
    ).first()
    while row is not None and row.merged_into is not None:
        row = tx.execute(
            sa.select(_g.id, _g.merged_into, _g.erased_at).where(_g.id == row.merged_into)
        ).first()
    return int(row.id) if row is not None and row.erased_at is None else None


def change(tx: Tx, guest_id: int, setting: str, value: str | bool | None) -> None:
    """Keeps one of SETTINGS, already checked and clean. A phone that is changed here is a typed
    one: proven ones go through `linking`."""
    if setting not in SETTINGS:
        raise ValueError(f"{setting} is no setting")
    values: dict[str, Any] = {setting: value}
    if setting == "phone":
        values["phone_proven"] = False
    if setting == "name":
        values |= named(str(value))
    tx.execute(sa.update(guests).where(_g.id == guest_id).values(values))


def move_home(tx: Tx, guest_id: int, cafe_id: int, now: datetime) -> None:
    """Another home cafe; they stay a guest of the old one."""
    tx.execute(sa.update(guests).where(_g.id == guest_id).values(home_cafe_id=cafe_id))
    join(tx, guest_id, cafe_id, now)


def home_programme(tx: Tx, guest_id: int) -> int | None:
    """The programme of the home cafe; None without one."""
    home = sa.select(_g.home_cafe_id).where(_g.id == guest_id).scalar_subquery()
    found: int | None = tx.scalar(sa.select(cafes.c.programme_id).where(cafes.c.id == home))
    return found


@dataclass(frozen=True, slots=True)
class Collecting:
    """A programme in which a guest collects, or may; `timezone` of its cafes."""

    programme_id: int
    programme: str
    unit: str
    balance: int
    timezone: str


_ZONE = (
    sa.select(sa.func.min(cafes.c.timezone))
    .where(cafes.c.programme_id == programmes.c.id)
    .scalar_subquery()
)
_COLLECTING = Prepared(
    sa.select(
        programmes.c.id,
        programmes.c.name,
        programmes.c.unit,
        sa.func.coalesce(accounts.c.balance, sa.literal_column("0")),
        _ZONE,
    )
    .select_from(programmes)
    .outerjoin(
        accounts,
        (accounts.c.programme_id == programmes.c.id)
        & (accounts.c.guest_id == sa.bindparam("guest")),
    )
    .where(
        programmes.c.merged_into.is_(None),
        accounts.c.guest_id.is_not(None)
        | programmes.c.id.in_(
            sa.select(cafes.c.programme_id)
            .join(memberships, memberships.c.cafe_id == cafes.c.id)
            .where(memberships.c.guest_id == sa.bindparam("guest"))
        ),
    )
    .order_by(programmes.c.id)
)


def collecting(tx: Tx, guest_id: int) -> list[Collecting]:
    """The programmes of the cafes whose guest they are, and of every balance."""
    return [Collecting(*row) for row in tx.run_all(_COLLECTING, guest=guest_id)]
