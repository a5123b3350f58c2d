"""One thing that a guest did, from the chat it came from to the replies in the outbox.

The engine says what is to be done and said; here it is done, in the inbound's own transaction, and
what came of it goes back to the engine as an event, until nothing is left.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from core.contract import (
    Capabilities,
    Chose,
    Content,
    Inbound,
    Left,
    Returned,
    Said,
    SharedPhone,
    Unsupported,
)
from core.conversation import engine
from core.conversation.types import (
    AnswerTill,
    CancelPicked,
    Change,
    Erase,
    Event,
    Export,
    FindGuest,
    Intention,
    Join,
    LoadInvitation,
    LoadPoints,
    OfferLink,
    Outcome,
    Pick,
    ProvePhone,
    Register,
    ShowCard,
    ShowPicked,
    State,
    UseLink,
)
from core.conversation.views import View
from core.domain.phones import told_phone
from core.services import contacts, messages, window
from core.storage.tx import Tx
from core.talk import connecting, inviting, joining, keeping, redeeming
from core.talk.house import House
from core.talk.looking import Looking
from core.talk.turn import Turn

__all__ = ["House", "talk"]

MOST_STEPS = 8
"""No event leads to more: it would be a loop."""

LONGEST_KEPT = 4000
"""Characters of the guest's own words that a channel which stores keeps."""

_CARRY_OUT: dict[type[Intention], Callable[[Turn, Any], Outcome | None]] = {
    FindGuest: joining.find_guest,
    Register: joining.register,
    Join: joining.join,
    ProvePhone: joining.prove_phone,
    ShowCard: keeping.show_card,
    LoadPoints: keeping.load_points,
    LoadInvitation: inviting.load_invitation,
    Change: keeping.change,
    Export: keeping.export,
    Erase: keeping.erase,
    OfferLink: connecting.offer_link,
    UseLink: connecting.use_link,
    Pick: redeeming.pick,
    ShowPicked: redeeming.show,
    CancelPicked: redeeming.cancel,
    AnswerTill: redeeming.answer,
}
_CHANGE_NOTHING = ShowCard | LoadPoints | LoadInvitation


def talk(
    tx: Tx, channel: str, capabilities: Capabilities, event: Inbound, house: House, now: datetime
) -> list[int]:
    """Works on one inbound, which is new (the inbox sees to that).

    Returns the outbox's row ids of what leaves at once, in order; the first reply among them is
    what may ride in the provider's response (`reply_inline`).
    """
    sender, content = event.sender, event.content
    if isinstance(content, Left):
        contacts.leave(tx, channel, sender.address, now)
        return []
    if isinstance(content, Returned):
        contacts.come_back(tx, channel, sender.address)
        return []
    turn = Turn(tx, channel, capabilities, sender, house, now)
    _take(turn, _with_known_phone(content))
    return turn.queued


def _with_known_phone(content: Content) -> Content:
    """A shared number as we write it; one that can't be a number is nothing that we can use."""
    if not isinstance(content, SharedPhone):
        return content
    phone = told_phone(content.phone)
    return SharedPhone(phone, content.own) if phone else Unsupported("phone")


def _take(turn: Turn, content: Content) -> None:
    state = State.from_json(turn.contact.state)
    looking = Looking(turn)
    if turn.capabilities.stores:
        _keep_words(turn, content, state, looking.view())
    events: list[Event] = [content]
    for _ in range(MOST_STEPS):
        step = engine.step(state, events.pop(0), looking.view(), turn.now)
        for intention in step.intentions:
            outcome = _CARRY_OUT[type(intention)](turn, intention)
            if not isinstance(intention, _CHANGE_NOTHING):
                looking = Looking(turn)
            if outcome is not None:
                events.append(outcome)
        for reply in step.replies:
            turn.say(reply)
        state = step.state
        if not events:
            break
    contacts.save(turn.tx, turn.contact, state.to_json(), turn.now)
    if turn.capabilities.window is not None:
        window.release(turn.tx, turn.contact.id, turn.channel, turn.now)


def _keep_words(turn: Turn, content: Content, state: State, view: View) -> None:
    """What the guest wrote or pressed, for the history that the channel shows."""
    text = None
    if isinstance(content, Said):
        text = content.text[:LONGEST_KEPT].encode(errors="replace").decode()
    elif isinstance(content, Chose):
        text = engine.label(state, view, content.value)
    if text:
        messages.said(turn.tx, turn.contact.id, turn.channel, text, turn.now)
