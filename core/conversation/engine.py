"""The conversation: one event and where things stand in, replies and intentions out.

Pure: the same arguments, the same step. Nothing is sent, stored or looked up here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from core.contract import Chose, Content, Said, SharedPhone, Started
from core.conversation import (
    card,
    help,
    invite,
    menu,
    messengers,
    my_data,
    points,
    registration,
    rewards,
    settings,
)
from core.conversation.questions import asked, question, refused, words_of
from core.conversation.speech import command, picked, presented
from core.conversation.types import (
    NOTHING,
    AlarmsConnected,
    Erased,
    Event,
    Exported,
    InvitationLoaded,
    Joined,
    Linked,
    LinkOffered,
    LinkRefused,
    NotKnown,
    NotPicked,
    PhoneProven,
    PickOver,
    PointsLoaded,
    ProvePhone,
    Recognised,
    Registered,
    State,
    Step,
    TillAnswered,
)
from core.conversation.views import View


def step(state: State, event: Event, view: View, now: datetime) -> Step:
    """What comes of `event`. Every event gets an answer: replies, or intentions that lead to one.

    Never raises, whatever the guest sent and whatever `state` an older version left behind.
    """
    outcome = _OUTCOMES.get(type(event))
    if outcome is not None:
        taken = outcome(state, view, event)
    elif view.guest is None:
        taken = registration.heard(state, event, view, now)  # type: ignore[arg-type]
    else:
        taken = _guest_did(state, event, view, now)  # type: ignore[arg-type]
    replies = tuple(presented(reply, view.capabilities) for reply in taken.replies)
    return Step(taken.state, replies, taken.intentions)


def _guest_did(state: State, event: Content, view: View, now: datetime) -> Step:
    match event:
        case Said(text):
            if value := _meant(state, view, text):
                return _chose(state, view, value)
            return messengers.typed(state, text) or settings.typed(state, view, text, now)
        case Chose(value):
            return _chose(state, view, value)
        case Started(payload):
            return (
                messengers.followed(state, payload)
                or invite.followed(state, view, payload)
                or menu.started(state, view, payload)
            )
        case SharedPhone(phone, own=True):
            return Step(NOTHING, (), (ProvePhone(phone),))
        case SharedPhone():
            return help.not_own(state, view)
        case _:
            return refused(state, view)


def _meant(state: State, view: View, text: str) -> str | None:
    """The option or the command that was typed: of what was asked last first, then the menu's."""
    return (
        rewards.answered(state, view, text)
        or picked(text, question(state, view), view.capabilities)
        or menu.named(text)
        or command(text)
    )


def _chose(state: State, view: View, value: str) -> Step:
    """An option was pressed, whichever message it was on, and however old that is."""
    which, _, rest = value.partition(":")
    if rest == "remove":
        return settings.removed(state, view, which)
    chosen = _CHOICES.get(which)
    return chosen(state, view, rest) if chosen else asked(state, view)


def _back(state: State, view: View, rest: str = "") -> Step:
    """One step up: from a setting to their list, from there to the menu."""
    match state.asked:
        case "erase":
            return my_data.chosen(state, view, "")
        case None | "settings" | "rewards":
            return menu.opened(state, view)
        case "basket":
            return rewards.listed(state, view, state.programme or "")
    return settings.listed(state, view)


_CHOICES: Mapping[str, Callable[[State, View, str], Step]] = {
    "menu": menu.opened,
    "card": card.shown,
    "points": points.asked,
    "rewards": rewards.listed,
    "reward": rewards.chosen,
    "basket": rewards.in_basket,
    "redeem": rewards.of_one,
    "invite": invite.asked,
    "settings": settings.listed,
    "set": settings.opened,
    "language": settings.chose_language,
    "name": settings.chose_name,
    "cafe": settings.chose_cafe,
    "offers": settings.chose_offers,
    "told_on": settings.chose_messenger,
    "link": messengers.offered,
    "data": my_data.chosen,
    "erase": my_data.confirmed,
    "help": help.given,
    "stop": help.no_offers,
    "back": _back,
}
"""What an option's value, up to its colon, does; the rest of it is given along."""

_OUTCOMES: Mapping[type, Callable[[State, View, Any], Step]] = {
    NotKnown: registration.not_known,
    Recognised: registration.recognised,
    Registered: registration.registered,
    Joined: menu.joined,
    PointsLoaded: points.shown,
    InvitationLoaded: invite.shown,
    PhoneProven: settings.phone_proven,
    LinkOffered: messengers.code_given,
    Linked: messengers.linked,
    AlarmsConnected: messengers.alarms_connected,
    LinkRefused: messengers.refused,
    Exported: my_data.exported,
    Erased: my_data.erased,
    NotPicked: rewards.not_picked,
    PickOver: rewards.over,
    TillAnswered: rewards.till_answered,
}


def label(state: State, view: View, value: str) -> str | None:
    """What the option said that was pressed: of what is open, or the menu's."""
    w = words_of(state, view)
    if said := rewards.label(value, w):
        return said
    shown = (*question(state, view).options, *menu.options(w.language))
    return next((o.label for row in shown for o in row if o.value == value), None)
