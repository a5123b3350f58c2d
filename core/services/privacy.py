"""A guest's data: everything that is kept of them, and its erasure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.domain.redeeming import OPEN
from core.services import eventlog
from core.services import guests as guest_service
from core.storage.tables import (
    accounts,
    bonus_rules,
    bonus_uses,
    cafes,
    contacts,
    event_log,
    guests,
    imported_guests,
    invitations,
    leases,
    ledger_entries,
    lots,
    memberships,
    messages,
    one_time_codes,
    order_lines,
    orders,
    programmes,
    redemption_items,
    redemptions,
    referrals,
    refunds,
    staff_contacts,
    visits,
)
from core.storage.tx import Tx

Document = dict[str, Any]

_g, _o = guests.c, orders.c


def export(tx: Tx, guest_id: int) -> Document:
    """Everything held about a guest, as JSON: times are RFC 3339, money is in minor units.

    The card's secret is not in it: it is what proves the guest to us. Nor are alarms: they are
    about an employee.
    """
    everyone = _selves(tx, guest_id)
    document: Document = {
        "guest": _documents(tx, _profile(guest_id))[0],
        "chats": _documents(tx, _chats(guest_id)),
        "guest_of": _documents(tx, _guest_of(guest_id)),
        "balances": _documents(tx, _balances(everyone)),
        "points": _documents(tx, _entries(everyone)),
        "expiring": _documents(tx, _expiring(everyone)),
        "orders": _orders(tx, guest_id),
        "refunds": _documents(tx, _refunds(guest_id)),
        "bonuses": _documents(tx, _bonuses(guest_id)),
        "visits": _documents(tx, _visits(guest_id)),
        "redemptions": _redemptions(tx, guest_id),
        "invitations": _documents(tx, _invitations(guest_id)),
        "referrals": _documents(tx, _referrals(guest_id)),
        "messages": _documents(tx, _messages(guest_id)),
        "imported": _documents(tx, _imported(everyone)),
        "events": _documents(tx, _events(everyone)),
    }
    return document


def erase(tx: Tx, guest_id: int, now: datetime) -> None:
    """Removes name, phone, e-mail, birthday, addresses, messages and the card's secret, for good.

    Orders and ledger entries stay, with nobody's name on them: the sums of the books are kept.
    """
    everyone = _selves(tx, guest_id)
    chats = sa.select(contacts.c.id).where(contacts.c.guest_id.in_(everyone))
    tx.execute(sa.delete(messages).where(messages.c.contact_id.in_(chats)))
    tx.execute(sa.delete(staff_contacts).where(staff_contacts.c.contact_id.in_(chats)))
    _cancel_redemptions(tx, everyone)
    _forget_name_in_answers(tx, everyone)
    tx.execute(
        sa.delete(referrals).where(
            referrals.c.friend_id.in_(everyone), referrals.c.rewarded_at.is_(None)
        )
    )
    for rows in (one_time_codes, contacts, leases, memberships, invitations):
        tx.execute(sa.delete(rows).where(rows.c.guest_id.in_(everyone)))
    tx.execute(sa.delete(imported_guests).where(imported_guests.c.claimed_by.in_(everyone)))
    tx.execute(
        sa.update(guests)
        .where(_g.id.in_(everyone))
        .values(
            **guest_service.named(""),
            phone=None,
            phone_proven=False,
            email=None,
            birthday=None,
            home_cafe_id=None,
            offers=False,
            told_on=None,
            secret=b"",
            card_version=_g.card_version + 1,
            erased_at=now,
        )
    )
    eventlog.log(tx, "guest_erased", now, guest_id=guest_id)


def _cancel_redemptions(tx: Tx, everyone: Sequence[int]) -> None:
    """What is picked and not redeemed shows a guest who is no more."""
    r = redemptions.c
    tx.execute(
        sa.update(redemptions)
        .where(r.guest_id.in_(everyone), r.status.in_(OPEN))
        .values(status="cancelled", token=None)
    )


def _forget_name_in_answers(tx: Tx, everyone: Sequence[int]) -> None:
    """What tills were answered is kept for when they ask again: from now on without the name."""
    r = redemptions.c
    answers = tx.execute(
        sa.select(r.id, r.response).where(r.guest_id.in_(everyone), r.response.is_not(None))
    ).all()
    for row in answers:
        nameless = {**row.response, "guest": {**row.response["guest"], "name": ""}}
        tx.execute(sa.update(redemptions).where(r.id == row.id).values(response=nameless))


def _selves(tx: Tx, guest_id: int) -> list[int]:
    """The guest, and whoever was merged into them."""
    merged = tx.execute(sa.select(_g.id).where(_g.merged_into == guest_id)).scalars()
    return [guest_id, *merged]


# -- what is held ----------------------------------------------------------------------------------


def _profile(guest_id: int) -> sa.Select[Any]:
    return (
        sa.select(
            _g.public_id,
            _g.name,
            _g.language,
            _g.phone,
            _g.phone_proven,
            _g.email,
            _g.birthday,
            cafes.c.name.label("home_cafe"),
            _g.offers,
            _g.told_on,
            _g.created_at,
        )
        .select_from(guests)
        .outerjoin(cafes, cafes.c.id == _g.home_cafe_id)
        .where(_g.id == guest_id)
    )


def _chats(guest_id: int) -> sa.Select[Any]:
    c = contacts.c
    return (
        sa.select(
            c.channel,
            c.address,
            c.name,
            c.language,
            c.phone,
            c.state,
            c.heard_at,
            c.gone_at,
            c.created_at,
        )
        .where(c.guest_id == guest_id)
        .order_by(c.id)
    )


def _guest_of(guest_id: int) -> sa.Select[Any]:
    return (
        sa.select(cafes.c.name.label("cafe"), memberships.c.since)
        .join(cafes, cafes.c.id == memberships.c.cafe_id)
        .where(memberships.c.guest_id == guest_id)
        .order_by(memberships.c.since)
    )


def _balances(everyone: Sequence[int]) -> sa.Select[Any]:
    a = accounts.c
    return (
        sa.select(programmes.c.name.label("programme"), a.balance, programmes.c.unit, a.carry_minor)
        .join(programmes, programmes.c.id == a.programme_id)
        .where(a.guest_id.in_(everyone))
    )


def _entries(everyone: Sequence[int]) -> sa.Select[Any]:
    e = ledger_entries.c
    return (
        sa.select(
            e.at, programmes.c.name.label("programme"), e.kind, e.points, e.balance, e.because
        )
        .join(programmes, programmes.c.id == e.programme_id)
        .where(e.guest_id.in_(everyone))
        .order_by(e.id)
    )


def _expiring(everyone: Sequence[int]) -> sa.Select[Any]:
    """What is left of points that have a date."""
    lot = lots.c
    return (
        sa.select(
            programmes.c.name.label("programme"), lot.left_points.label("points"), lot.expires_at
        )
        .join(programmes, programmes.c.id == lot.programme_id)
        .where(lot.guest_id.in_(everyone), lot.left_points > 0)
        .order_by(lot.expires_at, lot.id)
    )


def _orders(tx: Tx, guest_id: int) -> list[Document]:
    """With their lines."""
    found = tx.execute(
        sa.select(
            _o.id,
            cafes.c.name.label("cafe"),
            _o.order_id,
            _o.total_minor,
            _o.refunded_minor,
            _o.currency,
            _o.points,
            _o.paid_at,
            _o.received_at,
        )
        .join(cafes, cafes.c.id == _o.cafe_id)
        .where(_o.guest_id == guest_id)
        .order_by(_o.id)
    ).all()
    lines: dict[int, list[Document]] = {}
    of_guest = sa.select(_o.id).where(_o.guest_id == guest_id)
    for row in tx.execute(
        sa.select(order_lines)
        .where(order_lines.c.order_row.in_(of_guest))
        .order_by(order_lines.c.order_row, order_lines.c.position)
    ):
        line = {"name": row.name, "quantity": row.quantity, "price_minor": row.price_minor}
        lines.setdefault(row.order_row, []).append(line)
    documents = [_document(row) for row in found]
    return [{**one, "lines": lines.get(one.pop("id"), [])} for one in documents]


def _refunds(guest_id: int) -> sa.Select[Any]:
    """`amount_minor` null: of all that was left."""
    f = refunds.c
    return (
        sa.select(
            cafes.c.name.label("cafe"),
            f.order_id,
            f.refund_id,
            f.amount_minor,
            f.points.label("points_taken_back"),
            f.received_at,
        )
        .join(orders, _o.id == f.order_row)
        .join(cafes, cafes.c.id == f.cafe_id)
        .where(_o.guest_id == guest_id)
        .order_by(f.id)
    )


def _bonuses(guest_id: int) -> sa.Select[Any]:
    u = bonus_uses.c
    return (
        sa.select(u.at, bonus_rules.c.kind, bonus_rules.c.names, u.points)
        .join(bonus_rules, bonus_rules.c.id == u.rule_id)
        .where(u.guest_id == guest_id)
        .order_by(u.id)
    )


def _visits(guest_id: int) -> sa.Select[Any]:
    return (
        sa.select(cafes.c.name.label("cafe"), visits.c.proof, visits.c.opened_at, visits.c.ends_at)
        .join(cafes, cafes.c.id == visits.c.cafe_id)
        .where(visits.c.guest_id == guest_id)
        .order_by(visits.c.id)
    )


def _redemptions(tx: Tx, guest_id: int) -> list[Document]:
    """With the rewards that were picked."""
    r, i = redemptions.c, redemption_items.c
    found = tx.execute(
        sa.select(
            r.id,
            programmes.c.name.label("programme"),
            cafes.c.name.label("cafe"),
            r.status,
            r.points,
            r.created_at,
            r.confirmed_at,
        )
        .join_from(redemptions, programmes)
        .outerjoin(cafes, cafes.c.id == r.cafe_id)
        .where(r.guest_id == guest_id)
        .order_by(r.id)
    ).all()
    picked: dict[int, list[Document]] = {}
    for row in tx.execute(
        sa.select(i.redemption_id, i.names, i.cost)
        .join_from(redemption_items, redemptions)
        .where(r.guest_id == guest_id)
        .order_by(i.redemption_id, i.position)
    ):
        picked.setdefault(row.redemption_id, []).append({"names": row.names, "cost": row.cost})
    documents = [_document(row) for row in found]
    return [{**one, "rewards": picked.get(one.pop("id"), [])} for one in documents]


def _invitations(guest_id: int) -> sa.Select[Any]:
    i = invitations.c
    return sa.select(i.code, i.created_at).where(i.guest_id == guest_id).order_by(i.created_at)


def _referrals(guest_id: int) -> sa.Select[Any]:
    """Whom they invited, and who invited them, without a name; the points are their own."""
    r = referrals.c
    invited = r.friend_id == guest_id
    return (
        sa.select(
            sa.case((invited, "friend"), else_="inviter").label("as"),
            r.created_at,
            r.rewarded_at,
            sa.case((invited, r.friend_points), else_=r.inviter_points).label("points"),
        )
        .where(sa.or_(invited, r.inviter_id == guest_id))
        .order_by(r.id)
    )


def _messages(guest_id: int) -> sa.Select[Any]:
    m = messages.c
    return (
        sa.select(m.channel, m.kind, m.body, m.status, m.created_at, m.sent_at)
        .join(contacts, contacts.c.id == m.contact_id)
        .where(contacts.c.guest_id == guest_id)
        .order_by(m.id)
    )


def _imported(everyone: Sequence[int]) -> sa.Select[Any]:
    i = imported_guests.c
    return (
        sa.select(
            cafes.c.name.label("cafe"),
            i.name,
            i.phone,
            i.language,
            i.points,
            i.created_at,
            i.claimed_at,
        )
        .join(cafes, cafes.c.id == i.cafe_id)
        .where(i.claimed_by.in_(everyone))
    )


def _events(everyone: Sequence[int]) -> sa.Select[Any]:
    e = event_log.c
    return sa.select(e.at, e.kind, e.data).where(e.guest_id.in_(everyone)).order_by(e.id)


def _documents(tx: Tx, query: sa.Select[Any]) -> list[Document]:
    return [_document(row) for row in tx.execute(query)]


def _document(row: sa.Row[Any]) -> Document:
    return dict(_plain(row))


def _plain(row: sa.Row[Any]) -> Iterator[tuple[str, Any]]:
    for name, value in row._mapping.items():
        yield name, value.isoformat() if isinstance(value, datetime) else value
