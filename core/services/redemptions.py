"""Redemptions: rewards that a guest picks are held for ten minutes, and given when a till confirms.

What moves one is in services/redemption_rows.py, what a till does in services/counter.py, what
becomes of it afterwards in services/returns.py.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.domain import redeeming
from core.domain.redeeming import GOOD_FOR, OPEN, Status
from core.keys import Keys
from core.services import ledger, redemption_rows, rewards, spending
from core.services.errors import Insufficient, NotAvailable, UnknownReward
from core.services.ledger import Account
from core.services.redemption_rows import Item, Row
from core.storage.tables import cafes, redemption_items, redemptions
from core.storage.tx import Tx

MOST_REWARDS = 10
MOST_OPEN = 5
"""Of one guest, in one programme, at a time."""
BATCH = 100

_r = redemptions.c


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
        token_hash=redemption_rows.hash_of(token),
        token=keys.encrypt(token.encode()),
        code=_free_code(tx),
    )
    redemption_rows.log(tx, "redeem_held", row, now)
    redemption_rows.ring(tx, row)
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
        redemption_rows.move(tx, row, "held")
        redemption_rows.log(tx, "redeem_held", row, now)
        redemption_rows.ring(tx, row)
    return _shown(tx, public_id, None)


def cancel_by_guest(tx: Tx, guest_id: int, public_id: str, now: datetime) -> Redemption:
    """The guest doesn't want it any more: the points are free again. Where it is over already
    nothing changes. UnknownRedemption."""
    row, _ = _locked_of_guest(tx, guest_id, public_id)
    return _not_wanted(tx, row, now)


def _not_wanted(tx: Tx, row: Row, now: datetime) -> Redemption:
    if row.status in OPEN:
        redemption_rows.close(tx, row, "cancelled", now, by="guest")
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
        row, _ = redemption_rows.locked(tx, row_id)
        if row.status in OPEN and row.expires_at <= now:
            redemption_rows.close(tx, row, "expired", now)
            redemption_rows.tell(tx, row, "redemption_expired", now)
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
    return redemption_rows.row_by_id(tx, row_id)


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
    return redemption_rows.locked(tx, _row_of_guest(tx, guest_id, public_id))


def _row_of_guest(tx: Tx, guest_id: int, public_id: str) -> int:
    return redemption_rows.row_of(tx, public_id, _r.guest_id == guest_id)


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
        items=redemption_rows.items(tx, row.id),
        points=row.points,
        created_at=row.created_at,
        expires_at=row.expires_at,
        qr=redeeming.qr_text(token) if token else None,
        code=redeeming.shown(row.code) if row.code and row.status in OPEN else None,
        cafe=row.cafe,
    )
