"""One guest on several messengers: found again by a proven phone number, two made one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.services import cards, eventlog, guests, ledger, referrals
from core.storage.tables import (
    accounts,
    alarms,
    bonus_uses,
    contacts,
    imported_guests,
    invitations,
    leases,
    memberships,
    messages,
    one_time_codes,
    orders,
    redemptions,
    visits,
)
from core.storage.tables import guests as guest_rows
from core.storage.tx import Tx

_g = guest_rows.c

_THEIRS = (
    orders,
    visits,
    contacts,
    leases,
    one_time_codes,
    redemptions,
    bonus_uses,
    invitations,
    alarms,
)
"""What names its guest in `guest_id` and goes along when they become another."""


def holder(tx: Tx, phone: str) -> int | None:
    """The guest whom a messenger has proven to have this number (E.164).

    Until the transaction ends nobody else can find out and then prove it.
    """
    if not tx.is_sqlite:
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(phone))))
    found = tx.scalar(sa.select(_g.id).where(_g.phone == phone, _g.phone_proven))
    return None if found is None else int(found)


def prove(tx: Tx, guest_id: int, phone: str) -> None:
    """The number is the guest's, a messenger says; `holder` must have named nobody else."""
    tx.execute(
        sa.update(guest_rows).where(_g.id == guest_id).values(phone=phone, phone_proven=True)
    )


def merge(tx: Tx, keep: int, other: int, now: datetime) -> None:
    """`other` turns out to be `keep`: everything becomes theirs, the points by ledger entries.

    What `keep` has told of themselves stays; what they have not is taken over. Nothing personal is
    left with `other`, whose card, links and public id lead nowhere or to `keep` from now on.
    """
    _move_points(tx, keep, other, now)
    _stop_cards(tx, other)
    for rows in _THEIRS:
        tx.execute(sa.update(rows).where(rows.c.guest_id == other).values(guest_id=keep))
    referrals.follow_merge(tx, keep, other)
    tx.execute(
        sa.update(imported_guests)
        .where(imported_guests.c.claimed_by == other)
        .values(claimed_by=keep)
    )
    _move_memberships(tx, keep, other)
    _move_profile(tx, keep, other)
    tx.execute(sa.update(guest_rows).where(_g.merged_into == other).values(merged_into=keep))
    eventlog.log(tx, "guests_merged", now, guest_id=keep, other=other)


def _move_points(tx: Tx, keep: int, other: int, now: datetime) -> None:
    """In each programme an entry on both sides; what the last orders left over is added up."""
    programmes = tx.execute(
        sa.select(accounts.c.programme_id)
        .where(accounts.c.guest_id == other)
        .order_by(accounts.c.programme_id)
    ).scalars()
    for programme_id in list(programmes):
        theirs = ledger.lock(tx, other, programme_id)
        ours = ledger.lock(tx, keep, programme_id)
        common: dict[str, Any] = {"cafe_id": None, "kind": "merge", "because": [], "now": now}
        ledger.post(
            tx,
            theirs,
            reference=f"merge:{other}>{keep}",
            points=-theirs.balance,
            carry_minor=0,
            **common,
        )
        ledger.post(
            tx,
            ours,
            reference=f"merge:{other}>{keep}",
            dates_of=f"merge:{other}>{keep}",
            points=theirs.balance,
            carry_minor=ours.carry_minor + theirs.carry_minor,
            **common,
        )


def _stop_cards(tx: Tx, other: int) -> None:
    """Cards of `other` that still wait would show a guest who is no more."""
    chats = sa.select(contacts.c.id).where(contacts.c.guest_id == other)
    tx.execute(
        sa.update(messages)
        .where(
            messages.c.contact_id.in_(chats),
            messages.c.status == "queued",
            messages.c.kind.in_(["card", "card_renewal", "card_end"]),
        )
        .values(status="cancelled")
    )
    cards.revoke_links(tx, other)


def _move_memberships(tx: Tx, keep: int, other: int) -> None:
    theirs = tx.execute(
        sa.delete(memberships)
        .where(memberships.c.guest_id == other)
        .returning(memberships.c.cafe_id, memberships.c.since)
    ).all()
    for row in theirs:
        guests.join(tx, keep, row.cafe_id, row.since)


def _move_profile(tx: Tx, keep: int, other: int) -> None:
    """Emptied first: a proven phone may be one guest's only."""
    told = (_g.phone, _g.phone_proven, _g.email, _g.birthday, _g.home_cafe_id)
    theirs = tx.execute(sa.select(*told).where(_g.id == other)).one()
    ours = tx.execute(sa.select(*told).where(_g.id == keep)).one()
    tx.execute(
        sa.update(guest_rows)
        .where(_g.id == other)
        .values(
            **guests.named(""),
            phone=None,
            phone_proven=False,
            email=None,
            birthday=None,
            home_cafe_id=None,
            offers=False,
            merged_into=keep,
        )
    )
    taken: dict[str, Any] = {
        name: getattr(theirs, name)
        for name in ("email", "birthday", "home_cafe_id")
        if getattr(ours, name) is None
    }
    if ours.phone is None or (theirs.phone_proven and not ours.phone_proven):
        taken |= {"phone": theirs.phone, "phone_proven": theirs.phone_proven}
    if taken:
        tx.execute(sa.update(guest_rows).where(_g.id == keep).values(taken))
