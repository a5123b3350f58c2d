"""Settings: what a guest may change of themselves, each with the way back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from core.conversation import answers, menu, points
from core.conversation.questions import asked, refused, words_of
from core.conversation.registration import imported_line
from core.conversation.types import NOTHING, Change, PhoneProven, State, Step
from core.conversation.views import View
from core.i18n import LANGUAGES, words

QUESTIONS = ("language", "name", "phone", "email", "birthday", "cafe", "offers", "told_on")

HEARD_LAST = "last"
"""The answer that leaves it to where the guest wrote last."""
OPTIONAL = ("phone", "email", "birthday")


def listed(state: State, view: View, rest: str = "") -> Step:
    return asked(State(asked="settings"), view)


def opened(state: State, view: View, which: str) -> Step:
    """One setting was picked from the list."""
    return asked(State(asked=which), view) if which in QUESTIONS else listed(state, view)


def typed(state: State, view: View, text: str, now: datetime) -> Step:
    """Words that are no option: the answer to what is open."""
    answer = answers.read(state.asked, text, view.region, now)
    if answer is None or state.asked is None:
        return refused(state, view)
    return _saved(view, state.asked, answer)


def chose_language(state: State, view: View, answer: str) -> Step:
    return _saved(view, "language", answer) if answer in LANGUAGES else asked(state, view)


def chose_name(state: State, view: View, answer: str) -> Step:
    fits = answer == "offered" and state.asked == "name" and view.name
    return _saved(view, "name", view.name) if fits else asked(state, view)


def chose_cafe(state: State, view: View, answer: str) -> Step:
    known = any(cafe.slug == answer for cafe in view.cafes())
    return _saved(view, "cafe", answer) if known else asked(state, view)


def chose_offers(state: State, view: View, answer: str) -> Step:
    """After the registration as well as in the settings."""
    if answer not in ("yes", "no"):
        return asked(state, view)
    w = words_of(state, view)
    wanted = answer == "yes"
    text = (
        w.text("Thank you! “stop” ends them any time.")
        if wanted
        else w.text("All right, no offers.")
    )
    return Step(NOTHING, (menu.reply(w.language, text),), (Change("offers", wanted),))


def chose_messenger(state: State, view: View, answer: str) -> Step:
    """Where the guest wants to be told of things."""
    if answer == HEARD_LAST:
        return _saved(view, "told_on", None)
    known = any(one.linked and one.name == answer for one in view.messengers())
    return _saved(view, "told_on", answer) if known else asked(state, view)


def removed(state: State, view: View, which: str) -> Step:
    """The phone, the e-mail address or the birthday is to be forgotten."""
    fits = state.asked == which and which in OPTIONAL
    return _saved(view, which, None) if fits else asked(state, view)


def phone_proven(state: State, view: View, outcome: PhoneProven) -> Step:
    """The messenger proved a guest's number; it may have brought another guest, who is this one."""
    w = words_of(state, view)
    lines = [w.text("Your phone number is confirmed: {phone}.", phone=outcome.phone)]
    if outcome.merged is not None:
        lines.append(w.text("We knew this number already: your two profiles are one now."))
        if found := points.listed(outcome.merged, w):
            lines.append(w.text("Your balance: {points}.", points=found))
    lines += imported_line(outcome.imported, w)
    return Step(NOTHING, (menu.reply(w.language, "\n".join(lines)),))


def _saved(view: View, which: str, value: str | None) -> Step:
    """Back on the list, which shows the new value already, in the new language."""
    assert view.guest
    guest = view.guest
    same = which == "phone" and value == guest.phone  # a proven number stays proven
    changes = () if same else (Change(which, value),)
    if which == "cafe":
        guest = replace(guest, home=next(cafe for cafe in view.cafes() if cafe.slug == value))
    else:
        guest = replace(guest, **{which: value})  # type: ignore[arg-type]
    view = replace(view, guest=guest)
    step = asked(State(asked="settings"), view, words(guest.language).text("Saved."))
    return Step(step.state, step.replies, changes)
