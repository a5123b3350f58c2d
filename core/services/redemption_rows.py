"""The rows of a redemption: locking them, moving them, and telling of it.

Whatever moves one does so under the lock of its account (`locked`): of any number who confirm the
same one, one wins, and no two hold the same points.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from core.domain import redeeming
from core.domain.redeeming import NEXT, OPEN, Kind, Status
from core.services import eventlog, ledger, programmes, rewards
from core.services.errors import Cancelled, Expired, Refusal, UnknownRedemption
from core.services.ledger import Account
from core.services.notices import Notice, notify
from core.storage.tables import cafes, guests, redemption_items, redemptions
from core.storage.tx import Tx

_r, _i = redemptions.c, redemption_items.c


@dataclass(frozen=True, slots=True)
class Item:
    """One reward of a redemption, as it was picked. `value`: hundredths of a percent, or minor
    units; None: a product."""

    reward_id: int
    names: Mapping[str, str]
    cost: int
    kind: Kind
    value: int | None


class Row(NamedTuple):
    """A redemption's row, as much of it as decides."""

    id: int
    public_id: str
    guest_id: int
    programme_id: int
    cafe_id: int | None
    status: Status
    points: int
    expires_at: datetime
    till_id: int | None
    visit_id: int | None
    idempotency_key: str | None
    response: dict[str, Any] | None
    order_row: int | None

    def over(self, now: datetime) -> Refusal | None:
        """Why it can't be confirmed any more, where its time is up or it was cancelled."""
        if self.status == "cancelled":
            return Cancelled("This was cancelled; the points are free again.")
        if self.status == "expired" or (self.status in OPEN and self.expires_at <= now):
            return Expired("The time is up; the points are free again. It has to be picked anew.")
        return None


_ROW = sa.select(*(_r[name] for name in Row._fields))


def locked(tx: Tx, row_id: int) -> tuple[Row, Account]:
    """The redemption and its account, which are ours until the commit."""
    while True:
        before = row_by_id(tx, row_id)
        account = ledger.lock(tx, before.guest_id, before.programme_id)
        row = row_by_id(tx, row_id)
        if row.guest_id == before.guest_id:  # two guests may have been merged meanwhile
            return row, account


def row_of(tx: Tx, public_id: str, whose: sa.ColumnElement[bool]) -> int:
    """The row of a redemption that goes by this id, if it is theirs. UnknownRedemption."""
    found = None
    if redeeming.is_id(public_id):
        found = tx.scalar(sa.select(_r.id).where(_r.public_id == public_id, whose))
    if found is None:
        raise unknown()
    return int(found)


def row_by_id(tx: Tx, row_id: int) -> Row:
    return Row(**tx.execute(_ROW.where(_r.id == row_id)).mappings().one())


def move(tx: Tx, row: Row, to: Status, **values: Any) -> None:
    """A redemption, locked, goes on to another status."""
    assert to in NEXT[row.status], f"{row.status} can't become {to}"
    tx.execute(
        sa.update(redemptions)
        .where(_r.id == row.id, _r.status == row.status)
        .values(status=to, **values)
    )


def close(tx: Tx, row: Row, to: Status, now: datetime, **how: Any) -> None:
    """Cancelled or expired: its points are free again, its QR is worth nothing."""
    move(tx, row, to, token=None)
    log(tx, f"redeem_{to}", row, now, **how)
    ring(tx, row)


def items(tx: Tx, row_id: int) -> list[Item]:
    rows = tx.execute(
        sa.select(_i.reward_id, _i.names, _i.cost, _i.kind, _i.value)
        .where(_i.redemption_id == row_id)
        .order_by(_i.position)
    )
    return [Item(r.reward_id, r.names, r.cost, r.kind, r.value) for r in rows]


def tell(
    tx: Tx, row: Row, kind: Notice, now: datetime, *, points: int | None = None, **more: Any
) -> None:
    """A notice to the guest; `points` are those that moved, else those that were held."""
    name, unit = programmes.called(tx, row.programme_id)
    balance = ledger.balance(tx, row.guest_id, row.programme_id)
    facts: dict[str, Any] = {
        "cafe": _cafe(tx, row) or name,
        "points": row.points if points is None else points,
        "unit": unit,
        "balance": balance,
        "rewards": [item.names for item in items(tx, row.id)],
        "redemption": row.public_id,
    }
    if points is not None:
        facts |= rewards.outlook(tx, row.programme_id, balance, balance, now)
    notify(tx, row.guest_id, kind, facts, now, **more)


def log(
    tx: Tx, kind: str, row: Row, now: datetime, *, staff_id: int | None = None, **data: Any
) -> None:
    eventlog.log(
        tx,
        kind,
        now,
        cafe_id=row.cafe_id,
        guest_id=row.guest_id,
        till_id=row.till_id,
        staff_id=staff_id,
        redemption=row.public_id,
        points=row.points,
        rewards=[
            {
                "reward": item.reward_id,
                "names": item.names,
                "cost": item.cost,
                "kind": item.kind,
                "value": item.value,
            }
            for item in items(tx, row.id)
        ],
        **data,
    )


def ring(tx: Tx, row: Row) -> None:
    """The pages of the guest, and of the cafe where one has seen it."""
    public_id = tx.scalar(sa.select(guests.c.public_id).where(guests.c.id == row.guest_id))
    tx.ring(f"guest:{public_id}")
    if row.cafe_id is not None:
        slug = tx.scalar(sa.select(cafes.c.slug).where(cafes.c.id == row.cafe_id))
        tx.ring(f"cafe:{slug}")


def hash_of(token: str) -> bytes:
    """SHA-256: 256 random bits need no slow hash, and are looked up by it."""
    return hashlib.sha256(token.encode()).digest()


def unknown() -> UnknownRedemption:
    return UnknownRedemption("There is no such redemption here.")


def _cafe(tx: Tx, row: Row) -> str | None:
    if row.cafe_id is None:
        return None
    return str(tx.scalar(sa.select(cafes.c.name).where(cafes.c.id == row.cafe_id)))
