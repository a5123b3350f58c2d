"""One guest on several messengers: connecting another, and where they are told of things."""

from __future__ import annotations

from core.contract import Link, Option, Outbound
from core.conversation import menu, points
from core.conversation.questions import asked, words_of
from core.conversation.speech import noted
from core.conversation.types import (
    NOTHING,
    AlarmsConnected,
    Linked,
    LinkOffered,
    LinkRefused,
    OfferLink,
    ShowCard,
    State,
    Step,
    UseLink,
)
from core.conversation.views import View
from core.domain import linkcodes
from core.i18n import words


def offered(state: State, view: View, rest: str = "") -> Step:
    """`Connect another messenger` was picked."""
    return Step(NOTHING, (), (OfferLink(),))


def code_given(state: State, view: View, outcome: LinkOffered) -> Step:
    w = words_of(state, view)
    text = w.text(
        "Write this code to us on the other messenger: {code}\n"
        "It works once, for 10 minutes. Keep it to yourself: whoever writes it gets your card.",
        code=linkcodes.shown(outcome.code),
    )
    links = tuple(Link(title, url) for title, url in outcome.links)
    back = ((Option("settings", w.text("Back")),),)
    return Step(NOTHING, (Outbound(text=text, language=w.language, options=back, links=links),))


def typed(state: State, text: str) -> Step | None:
    """A code that was typed, at whatever point; None for anything else."""
    code = linkcodes.read(text)
    return Step(state, (), (UseLink(code),)) if code else None


def followed(state: State, payload: str | None) -> Step | None:
    """A code that a deep link brought; None for any other link."""
    code = linkcodes.linked(payload)
    return Step(state, (), (UseLink(code),)) if code else None


def linked(state: State, view: View, outcome: Linked) -> Step:
    """This chat is the guest's, too. Where it was another guest's, the two are one now."""
    w = words_of(NOTHING, view)
    lines = [w.text("Welcome back, {name}!", name=outcome.name)]
    if outcome.merged:
        lines.append(w.text("Your two profiles are one now."))
    else:
        lines.append(w.text("This messenger is connected to your card now."))
    if found := points.listed(outcome.balances, w):
        lines.append(w.text("Your balance: {points}.", points=found))
    return Step(NOTHING, (menu.reply(w.language, "\n".join(lines)),), (ShowCard(),))


def alarms_connected(state: State, view: View, outcome: AlarmsConnected) -> Step:
    """Nothing else changes: what was asked is asked again, and a stranger stays one."""
    w = words(outcome.language) if outcome.language else words_of(state, view)
    note = w.text(
        "Hello {name}! Alarms of {business} come here from now on. "
        "In the portal, under My account, you can stop them.",
        name=outcome.name,
        business=view.business,
    )
    if view.guest is None and state.asked is None:
        return Step(state, (Outbound(text=note, language=w.language),))
    return asked(state, view, note)


def refused(state: State, view: View, outcome: LinkRefused) -> Step:
    """The code is nobody's, or no longer. Somebody new is asked what they were asked, or begins."""
    note = words_of(state, view).text(
        "This code doesn't work: it was used already, or is older than 10 minutes."
    )
    if view.guest is None and state.asked is None:
        state = State(asked="language", cafe=state.cafe, invitation=state.invitation)
    step = asked(state, view)
    return Step(step.state, tuple(noted(note, reply) for reply in step.replies))
