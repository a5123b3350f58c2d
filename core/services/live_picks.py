"""Rewards picked on the live card: whoever has its link may, and for its guest alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from core.keys import Keys
from core.services import cards, guests, picking, redemptions
from core.services.errors import Refusal, UnknownRedemption
from core.services.redemptions import Redemption
from core.storage.tx import Tx


class Answer(NamedTuple):
    """`language` is the guest's; `refusal`: why nothing is held."""

    language: str
    picked: Redemption | None = None
    refusal: Refusal | None = None


def pick(tx: Tx, token: str, reward_ids: Sequence[int], keys: Keys, now: datetime) -> Answer | None:
    """Holds them, as `picking.pick` does; None: the link isn't ours, or no longer."""
    guest_id = cards.guest_of_token(tx, token, keys)
    if guest_id is None:
        return None
    language = guests.profile(tx, guest_id).language
    try:
        held = picking.pick(tx, guest_id=guest_id, reward_ids=reward_ids, keys=keys, now=now)
    except Refusal as refusal:
        return Answer(language, refusal=refusal)
    return Answer(language, held)


def look(tx: Tx, token: str, public_id: str, keys: Keys) -> Answer | None:
    """One of the guest's picks, whatever became of it; None: it isn't theirs, or the link isn't
    ours."""
    guest_id = cards.guest_of_token(tx, token, keys)
    if guest_id is None:
        return None
    try:
        found = redemptions.of_guest(tx, guest_id, public_id, keys)
    except UnknownRedemption:
        return None
    return Answer(guests.profile(tx, guest_id).language, found)


def cancel(tx: Tx, token: str, public_id: str, keys: Keys, now: datetime) -> Answer | None:
    """The points are free again, or were already; None as `look`."""
    guest_id = cards.guest_of_token(tx, token, keys)
    if guest_id is None:
        return None
    try:
        ended = redemptions.cancel_by_guest(tx, guest_id, public_id, now)
    except UnknownRedemption:
        return None
    return Answer(guests.profile(tx, guest_id).language, ended)
