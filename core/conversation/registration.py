"""From a first contact to a card: language, name, phone, cafe, in at most five taps.

Every answer can be changed: by Back, or by pressing an older question's option again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from core.contract import Chose, Content, Said, SharedPhone, Started
from core.conversation import answers, help, invite, menu, messengers, points
from core.conversation.questions import asked, question, refused, words_of
from core.conversation.speech import command, noted, picked
from core.conversation.types import (
    NOTHING,
    Balance,
    FindGuest,
    NotKnown,
    Recognised,
    Register,
    Registered,
    ShowCard,
    State,
    Step,
)
from core.conversation.views import View
from core.domain import invitations
from core.i18n import LANGUAGES, Words

QUESTIONS = ("language", "name", "phone", "cafe")


def heard(state: State, event: Content, view: View, now: datetime) -> Step:
    """What a guest to be did."""
    if state.asked not in QUESTIONS:  # new; or it was a guest when something else was asked
        state = State(cafe=state.cafe, invitation=state.invitation)
    match event:
        case Started(payload):
            return messengers.followed(state, payload) or _started(state, view, payload)
        case Said(text) if link := messengers.typed(state, text):
            return link
        case SharedPhone(phone, own=True):
            return Step(state, (), (FindGuest(phone),))
        case SharedPhone():
            return help.not_own(state, view)
        case _ if state.asked is None:
            return _started(state, view, None)
        case Chose(value):
            return _chosen(state, view, value)
        case Said(text):
            return _said(state, view, text, now)
        case _:
            return refused(state, view)


def not_known(state: State, view: View, outcome: NotKnown) -> Step:
    """The phone that was shared, or came with the first message, is nobody's yet."""
    return _next(replace(state, phone=outcome.phone), view)


def recognised(state: State, view: View, outcome: Recognised) -> Step:
    """Known by the proven phone: the card at once, and what was found."""
    w = words_of(state, view)
    lines = [w.text("Welcome back, {name}!", name=outcome.name)]
    if found := points.listed(outcome.balances, w):
        lines.append(w.text("Your balance: {points}.", points=found))
    lines += imported_line(outcome.imported, w)
    if state.invitation:
        lines.append(w.text(invite.NEW_GUESTS_ONLY))
    return Step(NOTHING, (menu.reply(w.language, "\n".join(lines)),), (ShowCard(),))


def registered(state: State, view: View, outcome: Registered) -> Step:
    """The card is the next message; only then the question about offers."""
    state = State(asked="offers")
    message = question(state, view)
    for line in imported_line(outcome.imported, words_of(state, view)):
        message = noted(line, message)
    return Step(state, (message,), (ShowCard(),))


def imported_line(imported: Sequence[Balance], w: Words) -> list[str]:
    """What had waited for this phone number, where there was any."""
    if found := points.listed(imported, w):
        return [w.text("We kept {points} for you: it's all on your card now.", points=found)]
    return []


def _started(state: State, view: View, payload: str | None) -> Step:
    state = _linked(state, view, payload)
    if state.asked is None and view.phone:
        return Step(state, (), (FindGuest(view.phone),))
    if state.asked in (None, "cafe"):  # the link may just have answered it
        return _next(state, view)
    return asked(state, view)


def _linked(state: State, view: View, payload: str | None) -> State:
    """What a link has answered: the cafe, or whose invitation it was and so, unless another link
    has named one, the cafe of theirs."""
    code = invitations.linked(payload)
    invited = view.invitation(code) if code else None
    if invited is not None:
        return replace(state, invitation=code, cafe=state.cafe or invited.cafe)
    return replace(state, cafe=menu.linked_cafe(payload, view) or state.cafe)


def _said(state: State, view: View, text: str, now: datetime) -> Step:
    value = picked(text, question(state, view), view.capabilities)
    if value is not None:
        return _chosen(state, view, value)
    match command(text):
        case "help":
            return help.given(state, view)
        case "stop":
            return help.no_offers(state, view)
        case "menu":
            return asked(state, view)
    answer = answers.read(state.asked, text, view.region, now)
    if answer is None or state.asked is None:
        return refused(state, view)
    return _answered(state, view, state.asked, answer)


def _chosen(state: State, view: View, value: str) -> Step:
    """An option was pressed, of the open question or of an older one."""
    which, _, answer = value.partition(":")
    match which, answer:
        case "back", _:
            return _back(state, view)
        case "language", _ if answer in LANGUAGES:
            return _answered(state, view, which, answer)
        case "name", "offered" if view.name:
            return _answered(state, view, which, view.name)
        case "phone", "skip" if state.asked == "phone":
            return _answered(state, view, which, "")
        case "cafe", _ if any(cafe.slug == answer for cafe in view.cafes()):
            return _answered(state, view, which, answer)
    return asked(state, view)


def _answered(state: State, view: View, which: str, answer: str) -> Step:
    """Goes on; the answer to an older question is kept, and the open one asked again."""
    was_open = state.asked == which
    state = replace(state, **{which: answer})
    return _next(state, view) if was_open else asked(state, view)


def _next(state: State, view: View) -> Step:
    """The first question without an answer; without one, the card."""
    unanswered = _unanswered(state, view)
    if unanswered is not None:
        return asked(replace(state, asked=unanswered), view)
    assert state.name
    assert state.language
    phone = view.phone if state.phone is None else state.phone
    register = Register(
        state.name, state.language, phone or None, _cafe(state, view), state.invitation
    )
    return Step(state, (), (register,))


def _unanswered(state: State, view: View) -> str | None:
    if state.language not in LANGUAGES:
        return "language"
    if not state.name:
        return "name"
    if state.phone is None and view.phone is None:
        return "phone"
    return "cafe" if view.cafes() and _cafe(state, view) is None else None


def _cafe(state: State, view: View) -> str | None:
    """The cafe that was chosen, or the only one."""
    slugs = [cafe.slug for cafe in view.cafes()]
    if len(slugs) == 1:
        return slugs[0]
    return state.cafe if state.cafe in slugs else None


def _back(state: State, view: View) -> Step:
    """The question before; a phone that the messenger always proves is no question."""
    order = [
        q for q in QUESTIONS if q != "phone" or not (view.capabilities.proves_phone and view.phone)
    ]
    here = order.index(state.asked) if state.asked in order else 0
    return asked(replace(state, asked=order[max(here - 1, 0)]), view)
