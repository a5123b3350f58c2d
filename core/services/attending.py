"""What the cashier's page shows of a visit: who stands there, what they have, what they can redeem,
what waits to be confirmed, and what was done in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from core.domain.redeeming import OPEN, Status
from core.domain.visits import VISIT
from core.services import (
    coupons,
    guests,
    ledger,
    purchases,
    redemption_rows,
    returns,
    rewards,
    visits,
)
from core.services import spending as spend
from core.services.claims import CLAIM_WITHIN
from core.services.coupons import State
from core.services.errors import UnknownVisit
from core.services.redemption_rows import Item
from core.services.rewards import Offered
from core.services.till_sessions import TillSession
from core.services.visits import Proof, VisitRow
from core.storage.tables import orders, redemptions
from core.storage.tx import Tx

_o, _r = orders.c, redemptions.c


class Bought(NamedTuple):
    """An order of the visit. `given`: here, to its guest, by hand. `undo_until`: None where it
    can't be undone here: a till system said whose it is, or refunded some of it since."""

    id: str
    source: str
    given: bool
    total_minor: int
    points: int
    at: datetime
    undone: bool
    undo_until: datetime | None


class Redeemed(NamedTuple):
    """A redemption that was seen or started in the visit. `coupon`: its discount at the till
    system; None where there is none."""

    id: str
    status: Status
    rewards: Sequence[Item]
    points: int
    at: datetime
    expires_at: datetime
    undo_until: datetime | None
    coupon: State | None


@dataclass(frozen=True, slots=True)
class Attended:
    """A visit, as its till sees it. `available` points can be redeemed of the `balance`; `over`:
    the guest has to be identified again, and only what was just done can be undone."""

    visit: str
    proof: Proof
    over: bool
    guest: str
    name: str
    balance: int
    available: int
    offers: Sequence[Offered]
    following: Offered | None
    waiting: Sequence[Redeemed]
    redeemed: Sequence[Redeemed]
    bought: Sequence[Bought]


def visit(tx: Tx, by: TillSession, public_id: str, now: datetime) -> Attended:
    """UnknownVisit where this cafe has no such visit, or its guest is no more."""
    found = visits.named(tx, by.till.cafe.id, public_id)
    guest = None if found is None else ledger.holder(tx, found.guest_id)
    if found is None or guest is None or guest.erased:
        raise UnknownVisit("There is no such visit here: identify the guest again.")
    programme = by.till.cafe.programme_id
    offers = rewards.offers(tx, guest.id, programme, now)
    redeemed = _redeemed(tx, found, now)
    return Attended(
        visit=found.public_id,
        proof=found.proof,
        over=not found.opened_at <= now < found.opened_at + VISIT,
        guest=guest.public_id,
        name=guests.profile(tx, guest.id).name,
        balance=ledger.balance(tx, guest.id, programme),
        available=spend.available(tx, guest.id, programme, now),
        offers=offers,
        following=rewards.following(offers),
        waiting=[one for one in redeemed if one.status in OPEN],
        redeemed=[one for one in redeemed if one.status not in OPEN],
        bought=_bought(tx, found, guest.id, now),
    )


def _bought(tx: Tx, visit: VisitRow, guest_id: int, now: datetime) -> list[Bought]:
    """The newest first. One that was given to the guest may have come long before the visit."""
    rows = tx.execute(
        sa.select(orders)
        .where(
            _o.guest_id == guest_id,
            _o.received_at >= now - CLAIM_WITHIN,
            _o.visit_id == visit.id,
        )
        .order_by(_o.id.desc())
    )
    return [
        Bought(
            id=row.order_id,
            source=row.source,
            given=row.given_at is not None,
            total_minor=row.total_minor,
            points=row.points,
            at=row.received_at,
            undone=row.refunded_minor >= row.total_minor,
            undo_until=_undo_until(row),
        )
        for row in rows
    ]


def _undo_until(row: sa.Row[Any]) -> datetime | None:
    if row.source == purchases.SOURCE:
        return purchases.undo_until(row.received_at)
    refunded_since = row.total_minor - row.refunded_minor != row.earned_minor
    if row.given_at is None or refunded_since:
        return None
    return purchases.undo_until(row.given_at)


def _redeemed(tx: Tx, visit: VisitRow, now: datetime) -> list[Redeemed]:
    """The newest first; of one that is open, those that still are."""
    rows = tx.execute(
        sa.select(redemptions).where(_r.visit_id == visit.id).order_by(_r.id.desc())
    ).all()
    return [
        Redeemed(
            id=row.public_id,
            status="expired" if row.status in OPEN and row.expires_at <= now else row.status,
            rewards=redemption_rows.items(tx, row.id),
            points=row.points,
            at=row.confirmed_at or row.created_at,
            expires_at=row.expires_at,
            undo_until=row.confirmed_at and row.confirmed_at + returns.UNDO_WITHIN,
            coupon=coupons.state(tx, row.public_id, now),
        )
        for row in rows
    ]
