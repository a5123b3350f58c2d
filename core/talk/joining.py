"""Who somebody is: a guest to be, one that is known, one that turns out to be another, too."""

from __future__ import annotations

from core.contract import GuestJoined
from core.conversation.types import (
    Balance,
    FindGuest,
    Join,
    Joined,
    NotKnown,
    PhoneProven,
    ProvePhone,
    Recognised,
    Register,
    Registered,
)
from core.services import cafes, guests, importing, linking, referrals
from core.talk.turn import Turn


def find_guest(turn: Turn, intention: FindGuest) -> Recognised | NotKnown:
    turn.contact.phone = intention.phone
    known = linking.holder(turn.tx, intention.phone)
    if known is None:
        return NotKnown(intention.phone)
    return _recognise(turn, known, intention.phone)


def register(turn: Turn, wanted: Register) -> Recognised | Registered:
    proven = wanted.phone is not None and wanted.phone == turn.contact.phone
    if proven and wanted.phone:
        known = linking.holder(turn.tx, wanted.phone)
        if known is not None:  # by another messenger, since it was asked
            return _recognise(turn, known, wanted.phone)
    guest_id = guests.add(
        turn.tx,
        name=wanted.name,
        language=wanted.language,
        cafe_id=cafes.find(turn.tx, wanted.cafe) if wanted.cafe else None,
        keys=turn.house.keys,
        now=turn.now,
        phone=wanted.phone,
        phone_proven=proven,
    )
    turn.become(guest_id)
    if wanted.invitation:
        referrals.add(turn.tx, wanted.invitation, guest_id, turn.now)
    public_id = guests.profile(turn.tx, guest_id).public_id
    turn.tx.tell(GuestJoined(guest_id=public_id, cafe=wanted.cafe or "", channel=turn.channel))
    return Registered(_claim(turn, wanted.phone) if proven and wanted.phone else ())


def join(turn: Turn, wanted: Join) -> Joined:
    cafe_id = cafes.get(turn.tx, wanted.cafe)
    new = guests.join(turn.tx, turn.guest_id, cafe_id, turn.now)
    if guests.profile(turn.tx, turn.guest_id).home is None:
        guests.move_home(turn.tx, turn.guest_id, cafe_id, turn.now)
    return Joined(cafes.row(turn.tx, cafe_id).name, new)


def prove_phone(turn: Turn, intention: ProvePhone) -> PhoneProven:
    """Who was first to prove it stays; this chat's guest becomes them."""
    phone = intention.phone
    turn.contact.phone = phone
    known = linking.holder(turn.tx, phone)
    merged = None
    if known is None:
        linking.prove(turn.tx, turn.guest_id, phone)
    elif known != turn.guest_id:
        linking.merge(turn.tx, keep=known, other=turn.guest_id, now=turn.now)
        turn.contact.guest_id = known
        merged = turn.balances()
    return PhoneProven(phone, merged, _claim(turn, phone))


def _recognise(turn: Turn, guest_id: int, phone: str) -> Recognised:
    turn.become(guest_id)
    found = turn.balances()
    name = guests.profile(turn.tx, guest_id).name
    return Recognised(name, found, _claim(turn, phone))


def _claim(turn: Turn, phone: str) -> tuple[Balance, ...]:
    """What was imported under the number, which the messenger proves."""
    claimed = importing.claim(turn.tx, turn.guest_id, phone, turn.now)
    return tuple(Balance(*one) for one in claimed)
