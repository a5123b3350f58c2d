"""What a guest has with us and may see or change: card, points, settings, their data."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from core.contract import Sender
from core.conversation.types import (
    Account,
    Balance,
    Change,
    Entry,
    Erase,
    Erased,
    Export,
    Exported,
    LoadPoints,
    NextReward,
    PointsLoaded,
    ShowCard,
)
from core.services import cafes, cards, contacts, guests, ledger, privacy, rewards, spending
from core.services.guests import Collecting
from core.talk.turn import Turn


def show_card(turn: Turn, intention: ShowCard) -> None:
    row = cards.show_card(
        turn.tx,
        contact_id=turn.contact.id,
        guest_id=turn.guest_id,
        channel=turn.channel,
        edits=turn.capabilities.edits,
        now=turn.now,
    )
    turn.queued.append(row)


def load_points(turn: Turn, intention: LoadPoints) -> PointsLoaded:
    collecting = guests.collecting(turn.tx, turn.guest_id)
    most = 5 if len(collecting) == 1 else 3
    return PointsLoaded(tuple(_account(turn, one, most) for one in collecting))


def change(turn: Turn, wanted: Change) -> None:
    if wanted.setting == "cafe":
        cafe_id = cafes.get(turn.tx, str(wanted.value))
        guests.move_home(turn.tx, turn.guest_id, cafe_id, turn.now)
    else:
        guests.change(turn.tx, turn.guest_id, wanted.setting, wanted.value)


def export(turn: Turn, intention: Export) -> Exported:
    public_id = guests.profile(turn.tx, turn.guest_id).public_id
    signed = turn.house.keys.sign_for_a_while("export", public_id)
    return Exported(f"{turn.house.public_url}/privacy/data/{signed}")


def erase(turn: Turn, intention: Erase) -> Erased:
    """The goodbye goes to the chat of a stranger, of whom nothing but the address is known."""
    language = turn.words().language
    privacy.erase(turn.tx, turn.guest_id, turn.now)
    turn.queued.clear()
    turn.contact = contacts.hear(turn.tx, turn.channel, Sender(turn.sender.address), turn.now)
    return Erased(language)


def _account(turn: Turn, one: Collecting, most: int) -> Account:
    offered = rewards.active(turn.tx, one.programme_id, turn.now)
    held = spending.held(turn.tx, turn.guest_id, one.programme_id, turn.now)
    following = rewards.next_reward(offered, one.balance - held)
    zone = ZoneInfo(one.timezone or "UTC")
    return Account(
        balance=Balance(one.programme, one.balance, one.unit),
        reward=NextReward(turn.in_words(following.names), following.cost) if following else None,
        entries=tuple(
            Entry(entry.at.astimezone(zone).date(), entry.points, entry.kind, entry.because)
            for entry in ledger.last_entries(turn.tx, turn.guest_id, one.programme_id, most)
        ),
        held=held,
    )
