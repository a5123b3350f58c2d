"""Rewards that a guest picks, and what a till asks them."""

from __future__ import annotations

from core.conversation.types import (
    AnswerTill,
    CancelPicked,
    NotPicked,
    Pick,
    PickOver,
    ShowPicked,
    TillAnswered,
)
from core.services import picking, programmes, redemptions
from core.services.errors import (
    Cancelled,
    Expired,
    Insufficient,
    NotAvailable,
    UnknownRedemption,
    UnknownReward,
)
from core.services.redemptions import Redemption
from core.talk.turn import Turn


def pick(turn: Turn, wanted: Pick) -> NotPicked | None:
    try:
        held = picking.pick(
            turn.tx,
            guest_id=turn.guest_id,
            reward_ids=wanted.rewards,
            keys=turn.house.keys,
            now=turn.now,
        )
    except Insufficient:
        return NotPicked(too_dear=True)
    except (NotAvailable, UnknownReward):
        return NotPicked(too_dear=False)
    _show(turn, held)
    return None


def show(turn: Turn, wanted: ShowPicked) -> PickOver | None:
    try:
        found = redemptions.of_guest(turn.tx, turn.guest_id, wanted.id, turn.house.keys)
    except UnknownRedemption:
        return PickOver(None)
    if found.qr is None:
        return _over(turn, found)
    if found.expires_at <= turn.now:
        return _over(turn, found, "expired")
    _show(turn, found)
    return None


def cancel(turn: Turn, wanted: CancelPicked) -> PickOver:
    try:
        return _over(turn, redemptions.cancel_by_guest(turn.tx, turn.guest_id, wanted.id, turn.now))
    except UnknownRedemption:
        return PickOver(None)


def answer(turn: Turn, given: AnswerTill) -> TillAnswered | PickOver:
    try:
        found = redemptions.answer(turn.tx, turn.guest_id, given.id, given.yes, turn.now)
    except UnknownRedemption:
        return PickOver(None)
    except (Cancelled, Expired) as refusal:
        found = redemptions.of_guest(turn.tx, turn.guest_id, given.id, turn.house.keys)
        return _over(turn, found, refusal.code)
    if found.status in ("confirmed", "returned"):
        return _over(turn, found)
    return TillAnswered(given.yes)


def _show(turn: Turn, held: Redemption) -> None:
    row = picking.show(
        turn.tx,
        held,
        contact_id=turn.contact.id,
        guest_id=turn.guest_id,
        channel=turn.channel,
        edits=turn.capabilities.edits,
        now=turn.now,
    )
    turn.queued.append(row)


def _over(turn: Turn, found: Redemption, status: str | None = None) -> PickOver:
    unit = programmes.unit(turn.tx, found.programme_id)
    return PickOver(status or found.status, turn.words().points(found.points, unit))
