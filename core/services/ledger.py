"""The ledger: every movement of points, only ever added to; a balance is the sum of its entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from core.domain.earning import Because
from core.services import lots
from core.storage.tables import accounts, guests, ledger_entries, programmes
from core.storage.tx import Prepared, Row, Tx
from core.storage.types import from_micros, to_micros

Kind = Literal[
    "order", "undo", "refund", "opening", "merge", "redeem", "return", "expire", "referral"
]


class Account(NamedTuple):
    """A guest's account in a programme, locked until the transaction ends. `carry_minor` is what
    the last orders left over that was too little for a point. `expiry_months`: points expire, and
    the account has lots; None: they don't."""

    guest_id: int
    programme_id: int
    balance: int
    carry_minor: int
    expiry_months: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A movement of points; `balance` after it."""

    kind: Kind
    points: int
    balance: int
    because: Sequence[Because]
    at: datetime


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """An account whose balance is not the sum of its entries."""

    guest_id: int
    programme_id: int
    balance: int
    entries: int


_OF_GUEST = sa.and_(
    accounts.c.guest_id == sa.bindparam("guest"),
    accounts.c.programme_id == sa.bindparam("programme"),
)
_COLUMNS = (accounts.c.balance, accounts.c.carry_minor, accounts.c.expiry_months)
_READ = Prepared(sa.select(*_COLUMNS).where(_OF_GUEST))
_LOCK = Prepared(sa.select(*_COLUMNS, accounts.c.merged_into).where(_OF_GUEST).with_for_update())
_SAVE = Prepared(
    sa.update(accounts)
    .where(_OF_GUEST)
    .values(balance=sa.bindparam("points"), carry_minor=sa.bindparam("carry"))
)
_OPEN = Prepared(  # the programme's row is shared with us: it can't be changed meanwhile
    postgresql.insert(accounts)
    .from_select(
        ["guest_id", "programme_id", "balance", "carry_minor", "expiry_months", "merged_into"],
        sa.select(
            sa.bindparam("guest", type_=sa.BigInteger),
            programmes.c.id,
            sa.literal_column("0"),
            sa.literal_column("0"),
            programmes.c.expiry_months,
            programmes.c.merged_into,
        )
        .where(programmes.c.id == sa.bindparam("programme"))
        .with_for_update(read=True),
    )
    .on_conflict_do_nothing()
)
_APPEND = Prepared(
    sa.insert(ledger_entries).values(
        {
            column.name: sa.bindparam(column.name)
            for column in ledger_entries.c
            if column.name != "id"
        }
    )
)


def lock(tx: Tx, guest_id: int, programme_id: int) -> Account:
    """The account, opened where there was none; whoever else wants it waits for our commit. Where
    the programme was merged into another it is the account there, whatever was meant."""
    row = tx.run(_LOCK, guest=guest_id, programme=programme_id)
    if row is None:
        tx.run(_OPEN, guest=guest_id, programme=programme_id)
        row = tx.run(_LOCK, guest=guest_id, programme=programme_id)
        assert row is not None
    *kept, merged_into = row
    if merged_into is not None:
        return lock(tx, guest_id, merged_into)
    return Account(guest_id, programme_id, *kept)


def post(
    tx: Tx,
    account: Account,
    *,
    cafe_id: int | None,
    kind: Kind,
    reference: str,
    points: int,
    because: Sequence[Because],
    now: datetime,
    carry_minor: int | None = None,
    dates_of: str | None = None,
) -> int:
    """Adds a movement to a locked account; the new balance. No points make no entry.

    `reference` is unique for the account (`order:17`). `carry_minor`: carried from now on.
    `dates_of`: of the movement that took what comes back now; it expires when it would have. Or of
    the one that gave what is taken back now: the latest to expire goes first, as it came.
    """
    balance = account.balance + points
    carry = account.carry_minor if carry_minor is None else carry_minor
    if points:
        tx.run(
            _APPEND,
            guest_id=account.guest_id,
            programme_id=account.programme_id,
            cafe_id=cafe_id,
            kind=kind,
            reference=reference,
            points=points,
            balance=balance,
            because=orjson.dumps(because).decode(),
            at=to_micros(now),
        )
        if account.expiry_months is not None:
            lots.follow(
                tx,
                guest_id=account.guest_id,
                programme_id=account.programme_id,
                months=account.expiry_months,
                reference=reference,
                points=points,
                balance=balance,
                dates_of=dates_of,
                now=now,
            )
    if points or carry != account.carry_minor:
        tx.run(
            _SAVE,
            guest=account.guest_id,
            programme=account.programme_id,
            points=balance,
            carry=carry,
        )
    return balance


def turn(order_row: int, taken_back: int) -> str:
    """How references name an order: `17`; `17:1` once it was taken back from a guest to whom it had
    been given by mistake, so that it can be given anew, to the same one too."""
    return f"{order_row}:{taken_back}" if taken_back else f"{order_row}"


def add_entry(
    tx: Tx,
    *,
    guest_id: int,
    programme_id: int,
    cafe_id: int | None,
    kind: Kind,
    reference: str,
    points: int,
    because: Sequence[Because],
    now: datetime,
) -> int:
    """Locks the account and adds a movement; the new balance."""
    return post(
        tx,
        lock(tx, guest_id, programme_id),
        cafe_id=cafe_id,
        kind=kind,
        reference=reference,
        points=points,
        because=because,
        now=now,
    )


def balance(tx: Tx, guest_id: int, programme_id: int) -> int:
    """0 where the guest has no account yet; below zero after a refund of what was spent."""
    row = tx.run(_READ, guest=guest_id, programme=programme_id)
    return row[0] if row else 0


def look(tx: Tx, guest_id: int, programme_id: int) -> Account:
    """The account as it is now, not locked; empty where the guest has none."""
    row = tx.run(_READ, guest=guest_id, programme=programme_id)
    return Account(guest_id, programme_id, *(row or (0, 0)))


_LAST = Prepared(
    sa.select(*(ledger_entries.c[name] for name in ("kind", "points", "balance", "because", "at")))
    .where(
        ledger_entries.c.guest_id == sa.bindparam("guest"),
        ledger_entries.c.programme_id == sa.bindparam("programme"),
    )
    .order_by(ledger_entries.c.id.desc())
    .limit(sa.bindparam("most"))
    .offset(sa.literal_column("0"))  # SQLite's dialect would add a parameter of its own
)


def last_entries(tx: Tx, guest_id: int, programme_id: int, most: int = 5) -> list[Entry]:
    """The latest movements, newest first."""
    return [
        Entry(kind, points, after, orjson.loads(because), from_micros(at))
        for kind, points, after, because, at in tx.run_all(
            _LAST, guest=guest_id, programme=programme_id, most=most
        )
    ]


def prove(tx: Tx) -> list[Discrepancy]:
    """The accounts that the books don't bear out: [] is the proof."""
    a, e = accounts.c, ledger_entries.c
    zero = sa.literal_column("0", sa.BigInteger)
    kept = sa.select(a.guest_id, a.programme_id, a.balance, zero.label("moved"))
    moved = sa.select(e.guest_id, e.programme_id, zero, e.points)
    books = sa.union_all(kept, moved).subquery("books").c
    account, sums = (
        (books.guest_id, books.programme_id),
        (sa.func.sum(books.balance), sa.func.sum(books.moved)),
    )
    rows = tx.execute(
        sa.select(*account, *sums).group_by(*account).having(sums[0] != sums[1]).order_by(*account)
    )
    return [Discrepancy(*map(int, row)) for row in rows]


class Holder(NamedTuple):
    """A guest whom points can go to; `invited`: their first paid order rewards an invitation."""

    id: int
    public_id: str
    erased: bool
    invited: bool = False


HOLDER = (guests.c.public_id, guests.c.merged_into, guests.c.erased_at, guests.c.invited)
"""What `holder_of` reads from."""

_GUEST = Prepared(sa.select(*HOLDER).where(guests.c.id == sa.bindparam("guest")))


def holder(tx: Tx, guest_id: int) -> Holder:
    """The guest, or the one that they became where two were merged."""
    row = tx.run(_GUEST, guest=guest_id)
    if row is None:
        raise LookupError(f"there is no guest {guest_id}")
    return holder_of(tx, guest_id, row)


def holder_of(tx: Tx, guest_id: int, row: Row) -> Holder:
    """As `holder`, where the guest's HOLDER columns are there already."""
    public_id, merged_into, erased_at, invited = row
    if merged_into is not None:
        return holder(tx, merged_into)
    return Holder(guest_id, public_id, erased_at is not None, bool(invited))
