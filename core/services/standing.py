"""Where a guest stands: their balances, the rewards ahead, what they have picked, the last
movements and why, and what they were told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.domain.expiry import WARNED_BEFORE
from core.keys import Keys
from core.services import cards, guests, history, lots, redemptions, rewards, spending
from core.services.guests import Collecting, Profile
from core.services.history import Page, Told
from core.services.lots import Dated
from core.services.redemptions import Redemption
from core.services.rewards import Offered, RewardRow
from core.storage.tx import Tx

SOON = WARNED_BEFORE[0]
"""What expires within this is shown."""


@dataclass(frozen=True, slots=True)
class Account:
    """One programme: its balance, the next reward (None: there is none dearer), the latest
    movements.

    held       points of the balance that wait for a till, with what was picked or what it started
    offers     rewards to pick, the cheapest first; `available` points can be picked from
    picked     what waits for a till to confirm it, the newest first
    expiring   when the next points expire, and how many; None: none soon
    """

    programme: Collecting
    held: int
    next: RewardRow | None
    history: Page
    available: int
    offers: Sequence[Offered]
    picked: Sequence[Redemption]
    expiring: Dated | None


@dataclass(frozen=True, slots=True)
class Standing:
    """`accounts`: the fullest first; `told`: the latest notices, newest first."""

    guest: Profile
    accounts: Sequence[Account]
    told: Sequence[Told]


def of_token(
    tx: Tx, token: str, keys: Keys, now: datetime, *, entries: int, notices: int
) -> Standing | None:
    """Of the guest whose live card a link opens, with as many `entries` of each account, and
    `notices`; None where it is not ours, or revoked."""
    guest_id = cards.guest_of_token(tx, token, keys)
    if guest_id is None:
        return None
    held = redemptions.open_of(tx, guest_id, keys, now)
    accounts = [
        _account(tx, guest_id, one, entries, held, now) for one in guests.collecting(tx, guest_id)
    ]
    accounts.sort(key=lambda account: -account.programme.balance)
    guest = guests.profile(tx, guest_id)
    return Standing(guest, accounts, history.told(tx, guest_id, notices, guest.language))


def _account(
    tx: Tx,
    guest_id: int,
    programme: Collecting,
    entries: int,
    held: Sequence[Redemption],
    now: datetime,
) -> Account:
    id_ = programme.programme_id
    offered = rewards.active(tx, id_, now)
    mine = [one for one in held if one.programme_id == id_]
    points_held = sum(one.points for one in mine)
    dated = [one for one in lots.left(tx, guest_id, id_) if now < one[0] <= now + SOON]
    return Account(
        programme=programme,
        held=points_held,
        next=rewards.next_reward(offered, programme.balance - points_held),
        history=history.page(tx, guest_id, id_, entries),
        available=spending.available(tx, guest_id, id_, now),
        offers=rewards.offers(tx, guest_id, id_, now),
        picked=[one for one in mine if one.qr],
        expiring=dated[0] if dated else None,
    )


def earlier(
    tx: Tx, token: str, keys: Keys, programme_id: int, before: int, entries: int
) -> tuple[Profile, Collecting, Page] | None:
    """Movements of an account that came before the one with the id `before`, for its guest's card;
    None as `of_token`, and where they don't collect there."""
    guest_id = cards.guest_of_token(tx, token, keys)
    if guest_id is None:
        return None
    for programme in guests.collecting(tx, guest_id):
        if programme.programme_id == programme_id:
            page = history.page(tx, guest_id, programme_id, entries, before)
            return guests.profile(tx, guest_id), programme, page
    return None
