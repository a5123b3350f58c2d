"""Who stands at the till: by the card's QR, its typed digits, or a phone number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.contract import GuestIdentified
from core.domain import codes, redeeming
from core.domain.phones import told_phone
from core.i18n import best_language, words
from core.phrases import name_in
from core.services import ledger, lockout, rewards, visits
from core.services.errors import Ambiguous, CodeUsed, Refusal, UnknownCode, WrongKind
from core.services.tills import Till
from core.services.visits import Proof
from core.storage.tables import guests, leases
from core.storage.tables import visits as visit_rows
from core.storage.tx import Tx


@dataclass(frozen=True, slots=True)
class Named:
    id: str
    name: str
    language: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A reward at this guest's cost; `affordable` with what is available to them."""

    id: str
    name: str
    cost: int
    affordable: bool


@dataclass(frozen=True, slots=True)
class NextReward:
    """The cheapest reward that the guest can't have yet, and how many points are missing."""

    name: str
    missing: int


@dataclass(frozen=True, slots=True)
class Identified:
    """What the till is told; `visit` is what its orders may name, `unit` is points or stamps."""

    visit: str
    guest: Named
    balance: int
    unit: str
    rewards: tuple[Offer, ...]
    next_reward: NextReward | None


def identify(
    tx: Tx, *, till: Till, proof: Proof, text: str, now: datetime, language: str | None = None
) -> Identified | Refusal:
    """Names the guest and opens the till's visit, or says why not. `text` is what was scanned or
    typed; `language` an IETF tag for the rewards' names, the guest's own where there is none.

    A refusal is returned, not raised: a wrong code has to be counted, and an exception would take
    the count back.
    """
    locked = lockout.refusal(tx, till, now)
    if locked is not None:
        return locked
    if proof == "qr" and redeeming.scanned(text):
        return WrongKind("This shows a reward that was picked, no card: scan it as a redemption.")
    found = (
        _by_phone(tx, till, text, now) if proof == "phone" else _by_code(tx, till, proof, text, now)
    )
    if isinstance(found, UnknownCode) and proof != "phone":
        lockout.count_wrong_code(tx, till, now)
    return found if isinstance(found, Refusal) else _answer(tx, till, *found, language, now)


Visiting = tuple[str, int]
"""A visit's public id, and its guest's row id."""


def _by_code(tx: Tx, till: Till, proof: Proof, text: str, now: datetime) -> Visiting | Refusal:
    lease = _shown(tx, proof, text, now)
    guest = ledger.holder(tx, lease.guest_id) if lease else None
    if lease is None or guest is None or guest.erased:
        return UnknownCode("No open card shows this code. Ask the guest to show the card again.")
    if lease.used_at is not None:
        if lease.till_id == till.id and lease.ends_at > now:
            return lease.visit, guest.id
        return CodeUsed("This code was used already. Ask the guest for a fresh one.")
    visit = open_visit(tx, till, guest, proof, now)
    tx.execute(
        sa.update(leases).where(leases.c.code == lease.code).values(used_at=now, visit_id=visit.id)
    )
    return visit.public_id, guest.id


def _shown(tx: Tx, proof: Proof, text: str, now: datetime) -> sa.Row[Any] | None:
    """The open lease that the text is of. A QR also has to name the lease's guest."""
    if proof == "qr":
        scanned = codes.scanned(text)
        lease = open_lease(tx, scanned.code, now) if scanned else None
        return lease if lease and scanned and lease.public_id == scanned.public_id else None
    code = codes.typed(text)
    return None if code is None else open_lease(tx, code, now)


def open_lease(tx: Tx, code: str, now: datetime) -> sa.Row[Any] | None:
    """The unexpired lease of a code, whose it is, and the visit that used it: one look-up by key.
    The lease is ours until the commit."""
    return tx.execute(
        sa.select(
            leases.c.code,
            leases.c.guest_id,
            leases.c.used_at,
            guests.c.public_id,
            visit_rows.c.public_id.label("visit"),
            visit_rows.c.till_id,
            visit_rows.c.ends_at,
        )
        .join_from(leases, guests, guests.c.id == leases.c.guest_id)
        .outerjoin(visit_rows, visit_rows.c.id == leases.c.visit_id)
        .where(leases.c.code == code, leases.c.expires_at > now)
        .with_for_update(of=leases)
    ).first()


def _by_phone(tx: Tx, till: Till, text: str, now: datetime) -> Visiting | Refusal:
    """Whoever proved the number; else the only one who typed it, never the first of two."""
    phone = told_phone(text)
    holders = tx.execute(
        sa.select(guests.c.id, guests.c.phone_proven)
        .where(
            guests.c.phone == phone, guests.c.erased_at.is_(None), guests.c.merged_into.is_(None)
        )
        .order_by(guests.c.phone_proven.desc())
        .limit(2)
    ).all()
    if phone is None or not holders:
        return UnknownCode("No guest has this phone number. It is written with its country, +381…")
    if len(holders) > 1 and not holders[0].phone_proven:
        return Ambiguous("Several guests gave this phone number. Ask the guest to show the card.")
    guest = ledger.holder(tx, holders[0].id)
    return open_visit(tx, till, guest, "phone", now).public_id, guest.id


def open_visit(
    tx: Tx, till: Till, guest: ledger.Holder, proof: Proof, now: datetime
) -> visits.VisitRow:
    """The till's visit from now on is this guest's; pages and plugins are told."""
    visit = visits.open_visit(
        tx, cafe_id=till.cafe.id, till_id=till.id, guest_id=guest.id, proof=proof, now=now
    )
    tx.ring(f"guest:{guest.public_id}")
    tx.tell(
        GuestIdentified(guest_id=guest.public_id, cafe=till.cafe.slug, till=till.name, proof=proof)
    )
    return visit


def _answer(
    tx: Tx, till: Till, visit: str, guest_id: int, language: str | None, now: datetime
) -> Identified:
    guest = tx.execute(
        sa.select(guests.c.public_id, guests.c.name, guests.c.language).where(
            guests.c.id == guest_id
        )
    ).one()
    balance = ledger.balance(tx, guest_id, till.cafe.programme_id)
    offered = rewards.offers(tx, guest_id, till.cafe.programme_id, now)
    w = words(best_language(language) if language else guest.language)
    following = rewards.following(offered)
    return Identified(
        visit=visit,
        guest=Named(guest.public_id, guest.name, guest.language),
        balance=balance,
        unit=till.cafe.unit,
        rewards=tuple(
            Offer(str(one.id), name_in(one.names, w), one.cost, one.missing == 0)
            for one in offered
            if one.left != 0
        ),
        next_reward=None
        if following is None
        else NextReward(name_in(following.names, w), following.missing),
    )
