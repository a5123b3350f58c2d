"""Where a guest stands: their balances, the rewards ahead, the last movements and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.keys import Keys
from core.services import cards, guests, ledger, rewards
from core.services.guests import Collecting, Profile
from core.services.ledger import Entry
from core.services.rewards import RewardRow
from core.storage.tx import Tx


@dataclass(frozen=True, slots=True)
class Account:
    """One programme: its balance, the next reward (None: there is none dearer), the latest entries,
    newest first."""

    programme: Collecting
    next: RewardRow | None
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Standing:
    """`accounts`: the fullest first."""

    guest: Profile
    accounts: Sequence[Account]


def of_token(tx: Tx, token: str, keys: Keys, entries: int, now: datetime) -> Standing | None:
    """Of the guest whose live card a link opens, with as many `entries` of each account; None
    where it is not ours, or revoked."""
    guest_id = cards.guest_of_token(tx, token, keys)
    if guest_id is None:
        return None
    accounts = [
        _account(tx, guest_id, one, entries, now) for one in guests.collecting(tx, guest_id)
    ]
    accounts.sort(key=lambda account: -account.programme.balance)
    return Standing(guests.profile(tx, guest_id), accounts)


def _account(tx: Tx, guest_id: int, programme: Collecting, entries: int, now: datetime) -> Account:
    offered = rewards.active(tx, programme.programme_id, now)
    return Account(
        programme=programme,
        next=rewards.next_reward(offered, programme.balance),
        entries=ledger.last_entries(tx, guest_id, programme.programme_id, entries),
    )
