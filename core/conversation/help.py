"""Help, stop, and what can't be taken as it came."""

from __future__ import annotations

from core.conversation.questions import asked, left, words_of
from core.conversation.types import Change, State, Step
from core.conversation.views import View
from core.i18n import N_

NOT_OWN = N_("That isn't your own number. Please share the one that you use here.")


def given(state: State, view: View, rest: str = "") -> Step:
    text = words_of(state, view).text(
        "Show your card at the till with every order, and the points add up by themselves.\n"
        "“menu” shows what I can do, “stop” ends the offers."
    )
    return asked(left(state), view, text)


def no_offers(state: State, view: View, rest: str = "") -> Step:
    """`stop` ends campaigns; what a guest does or waits for still gets its answer."""
    text = words_of(state, view).text(
        "You won't get any offers. Your card and your points stay as they are."
    )
    step = asked(State() if state.asked == "offers" else left(state), view, text)
    return Step(step.state, step.replies, (Change("offers", False),)) if view.guest else step


def not_own(state: State, view: View) -> Step:
    return asked(state, view, words_of(state, view).text(NOT_OWN))
