"""Redemptions: rewards that a guest picks are held for ten minutes, and given when a till confirms.

Whatever moves one does so under the lock of its account (`locked`): of any number who confirm the
same one, one wins, and no two hold the same points. What a till does is in services/counter.py,
what becomes of it afterwards in services/returns.py.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from core.domain import redeeming
from core.domain.redeeming import GOOD_FOR, NEXT, OPEN, Kind, Status
from core.keys import Keys
from core.services import eventlog, ledger, programmes, rewards, spending
from core.services.errors import (
    Cancelled,
    Expired,
    Insufficient,
    NotAvailable,
    Refusal,
    UnknownRedemption,
    UnknownReward,
)
from core.services.ledger import Account
from core.services.notices import Notice, notify
from core.storage.tables import cafes, guests, redemption_items, redemptions
from core.storage.tx import Tx

MOST_REWARDS = 10
MOST_OPEN = 5
"""Of one guest, in one programme, at a time."""
BATCH = 100

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


@dataclass(frozen=True, slots=True)
class Redemption:
    """What a guest picked. `id` is public; `qr` and `code` (as it is shown) only while it is open,
    where a guest picked it; `cafe`: the one that saw it last."""

    id: str
    status: Status
    programme_id: int
    items: Sequence[Item]
    points: int
    created_at: datetime
    expires_at: datetime
    qr: str | None
    code: str | None
    cafe: str | None


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


# -- the guest's -----------------------------------------------------------------------------------


def pick(
    tx: Tx,
    *,
    guest_id: int,
    programme_id: int,
    reward_ids: Sequence[int],
    keys: Keys,
    now: datetime,
) -> Redemption:
    """Holds the points of these rewards (one may be there twice) for ten minutes, and makes the QR
    and the code that a till takes. UnknownReward, NotAvailable, Insufficient."""
    token = secrets.token_urlsafe(redeeming.TOKEN_BYTES)
    row = hold(
        tx,
        guest_id=guest_id,
        programme_id=programme_id,
        reward_ids=reward_ids,
        status="held",
        now=now,
        token_hash=hash_of(token),
        token=keys.encrypt(token.encode()),
        code=_free_code(tx),
    )
    log(tx, "redeem_held", row, now)
    ring(tx, row)
    return _shown(tx, row.public_id, keys)


def answer(tx: Tx, guest_id: int, public_id: str, yes: bool, now: datetime) -> Redemption:
    """The guest's answer in the messenger to what a till has started. Saying the same again
    changes nothing. UnknownRedemption, Expired, Cancelled."""
    row, _ = _locked_of_guest(tx, guest_id, public_id)
    if not yes:
        return _not_wanted(tx, row, now)
    refusal = row.over(now)
    if refusal is not None:
        raise refusal
    if row.status == "awaiting_guest":
        move(tx, row, "held")
        log(tx, "redeem_held", row, now)
        ring(tx, row)
    return _shown(tx, public_id, None)


def cancel_by_guest(tx: Tx, guest_id: int, public_id: str, now: datetime) -> Redemption:
    """The guest doesn't want it any more: the points are free again. Where it is over already
    nothing changes. UnknownRedemption."""
    row, _ = _locked_of_guest(tx, guest_id, public_id)
    return _not_wanted(tx, row, now)


def _not_wanted(tx: Tx, row: Row, now: datetime) -> Redemption:
    if row.status in OPEN:
        close(tx, row, "cancelled", now, by="guest")
    return _shown(tx, row.public_id, None)


def of_guest(tx: Tx, guest_id: int, public_id: str, keys: Keys) -> Redemption:
    """One of the guest's, whatever became of it. UnknownRedemption."""
    _row_of_guest(tx, guest_id, public_id)
    return _shown(tx, public_id, keys)


def open_of(tx: Tx, guest_id: int, keys: Keys, now: datetime) -> list[Redemption]:
    """Those that hold points of the guest right now, the newest first."""
    ids = tx.execute(
        sa.select(_r.public_id)
        .where(_r.guest_id == guest_id, spending.open_at(now))
        .order_by(_r.id.desc())
    ).scalars()
    return [_shown(tx, public_id, keys) for public_id in list(ids)]


def expire(tx: Tx, now: datetime) -> bool:
    """Closes those whose time is up, a batch; True: there may be more."""
    ids = tx.execute(
        sa.select(_r.id)
        .where(spending.IS_OPEN, _r.expires_at <= now)
        .order_by(_r.expires_at)
        .limit(BATCH)
    ).scalars()
    due = list(ids)
    for row_id in due:
        row, _ = locked(tx, row_id)
        if row.status in OPEN and row.expires_at <= now:
            close(tx, row, "expired", now)
            tell(tx, row, "redemption_expired", now)
    return len(due) == BATCH


# -- what tills use too ----------------------------------------------------------------------------


def hold(
    tx: Tx,
    *,
    guest_id: int,
    programme_id: int,
    reward_ids: Sequence[int],
    status: Status,
    now: datetime,
    **more: Any,
) -> Row:
    """A new redemption. UnknownReward, NotAvailable, Insufficient."""
    ledger.lock(tx, guest_id, programme_id)
    chosen = _chosen(tx, guest_id, programme_id, reward_ids, now)
    points = sum(reward.cost for reward in chosen)
    missing = points - spending.available(tx, guest_id, programme_id, now)
    if missing > 0:
        raise Insufficient(f"{missing} points are missing, or are held for something else.")
    row_id = tx.scalar(
        sa.insert(redemptions)
        .values(
            public_id=secrets.token_urlsafe(12),
            guest_id=guest_id,
            programme_id=programme_id,
            status=status,
            points=points,
            created_at=now,
            expires_at=now + GOOD_FOR,
            **more,
        )
        .returning(_r.id)
    )
    tx.execute(
        sa.insert(redemption_items),
        [
            {
                "redemption_id": row_id,
                "position": position,
                "reward_id": reward.id,
                "cost": reward.cost,
                "kind": reward.kind,
                "value": reward.value,
                "names": reward.names,
            }
            for position, reward in enumerate(chosen)
        ],
    )
    return row_by_id(tx, row_id)


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


# -- rows ------------------------------------------------------------------------------------------


def _chosen(
    tx: Tx, guest_id: int, programme_id: int, reward_ids: Sequence[int], now: datetime
) -> list[rewards.Offered]:
    """The rewards at the guest's costs; the account is locked, and so is their stock."""
    if not 1 <= len(reward_ids) <= MOST_REWARDS:
        raise NotAvailable(f"One to {MOST_REWARDS} rewards can be picked at once.")
    rewards.hold_stock(tx, reward_ids)
    offered = {one.id: one for one in rewards.offers(tx, guest_id, programme_id, now)}
    for reward_id, n in Counter(reward_ids).items():
        if reward_id not in offered:
            raise UnknownReward("There is no such reward here, or not now.")
        left = offered[reward_id].left
        if left is not None and n > left:
            raise NotAvailable("That reward is out of stock, or was had as often as it can be.")
    if _how_many_open(tx, guest_id, programme_id, now) >= MOST_OPEN:
        raise NotAvailable("Too much is picked and not redeemed yet: cancel some of it first.")
    return [offered[reward_id] for reward_id in reward_ids]


def _how_many_open(tx: Tx, guest_id: int, programme_id: int, now: datetime) -> int:
    theirs = sa.and_(_r.guest_id == guest_id, _r.programme_id == programme_id)
    return int(
        tx.scalar(
            sa.select(sa.func.count()).select_from(redemptions).where(theirs, spending.open_at(now))
        )
    )


def _free_code(tx: Tx) -> str:
    while True:
        code = redeeming.new_code(secrets.choice)
        if tx.scalar(sa.select(_r.id).where(_r.code == code)) is None:
            return code


def _locked_of_guest(tx: Tx, guest_id: int, public_id: str) -> tuple[Row, Account]:
    return locked(tx, _row_of_guest(tx, guest_id, public_id))


def _row_of_guest(tx: Tx, guest_id: int, public_id: str) -> int:
    return row_of(tx, public_id, _r.guest_id == guest_id)


def _shown(tx: Tx, public_id: str, keys: Keys | None) -> Redemption:
    """As its guest sees it; the QR only with the `keys` to read it."""
    row = tx.execute(
        sa.select(redemptions, cafes.c.name.label("cafe"))
        .outerjoin(cafes, cafes.c.id == _r.cafe_id)
        .where(_r.public_id == public_id)
    ).one()
    token = keys.decrypt(row.token).decode() if keys and row.token else None
    return Redemption(
        id=row.public_id,
        status=row.status,
        programme_id=row.programme_id,
        items=items(tx, row.id),
        points=row.points,
        created_at=row.created_at,
        expires_at=row.expires_at,
        qr=redeeming.qr_text(token) if token else None,
        code=redeeming.shown(row.code) if row.code and row.status in OPEN else None,
        cafe=row.cafe,
    )


def _cafe(tx: Tx, row: Row) -> str | None:
    if row.cafe_id is None:
        return None
    return str(tx.scalar(sa.select(cafes.c.name).where(cafes.c.id == row.cafe_id)))
