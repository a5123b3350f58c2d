"""One guest on several messengers: the code that is given out here and used there."""

from __future__ import annotations

import sqlalchemy as sa

from core.contract import Outbound
from core.conversation.types import (
    AlarmsConnected,
    Linked,
    LinkOffered,
    LinkRefused,
    OfferLink,
    UseLink,
)
from core.domain import linkcodes
from core.services import connecting, guests, linking, messages, staff_contacts
from core.storage.tables import contacts
from core.talk.turn import Turn


def offer_link(turn: Turn, intention: OfferLink) -> LinkOffered:
    code = connecting.offer(turn.tx, turn.guest_id, turn.contact.id, turn.now)
    others = {n: c for n, c in turn.house.channels.items() if n != turn.channel}
    links = [
        (turn.title_of(name, channel.capabilities), link)
        for name, channel in others.items()
        if (link := channel.join_link(f"{linkcodes.DEEP_LINK}{code}"))
    ]
    return LinkOffered(code, tuple(links))


def use_link(turn: Turn, intention: UseLink) -> Linked | AlarmsConnected | LinkRefused:
    """The one who gave the code out stays; who was here before becomes them. Or it is a code from
    the portal, which changes nothing about the guest."""
    offer = connecting.use(turn.tx, intention.code, turn.channel, turn.now)
    if offer is None:
        return _connect_alarms(turn, intention.code)
    keep, other = offer.guest_id, turn.contact.guest_id
    merged = other is not None and other != keep
    if merged and other is not None:
        linking.merge(turn.tx, keep=keep, other=other, now=turn.now)
    turn.become(keep)
    _tell_of_link(turn, offer)
    return Linked(guests.profile(turn.tx, keep).name, turn.balances(), merged)


def _connect_alarms(turn: Turn, code: str) -> AlarmsConnected | LinkRefused:
    owner = staff_contacts.use(turn.tx, code, turn.contact.id, turn.channel, turn.now)
    return LinkRefused() if owner is None else AlarmsConnected(owner.name, owner.language)


def _tell_of_link(turn: Turn, offer: connecting.Offer) -> None:
    """Where the code was given out, whoever has that phone sees that it was used."""
    if offer.contact_id == turn.contact.id:
        return
    channel = turn.tx.scalar(sa.select(contacts.c.channel).where(contacts.c.id == offer.contact_id))
    w = turn.words()
    here = turn.title_of(turn.channel, turn.capabilities)
    text = w.text("{messenger} is connected to your card now.", messenger=here)
    messages.put(
        turn.tx,
        contact_id=offer.contact_id,
        channel=channel,
        lane=messages.NOTIFICATION,
        kind="reply",
        body=messages.to_json(Outbound(text=text, language=w.language)),
        now=turn.now,
    )
