"""The main menu: an option of it shows once it works, and works at any point."""

from __future__ import annotations

from functools import cache

from core.contract import Option, Outbound
from core.conversation.speech import folded, noted
from core.conversation.types import NOTHING, Join, Joined, State, Step
from core.conversation.views import View
from core.i18n import LANGUAGES, N_, Words, words

ROWS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("card", N_("☕ My card")), ("points", N_("🏆 Points"))),
    (("rewards", N_("⭐ Rewards")), ("invite", N_("👥 Invite"))),
    (("settings", N_("⚙️ Settings")),),
)
"""Each option's value, and its label in English."""

DEEP_LINK = "cafe_"


@cache
def options(language: str) -> tuple[tuple[Option, ...], ...]:
    w = words(language)
    return tuple(tuple(Option(value, w.text(label)) for value, label in row) for row in ROWS)


@cache
def _labels() -> dict[str, str]:
    """Every label in every language: a keyboard may still show the language of before. A card's
    own option is one of them: it stands on a message that is no question."""
    refresh = {folded(words(language).text("Refresh")): "card" for language in LANGUAGES}
    return refresh | {
        folded(option.label): option.value
        for language in LANGUAGES
        for row in options(language)
        for option in row
    }


def named(text: str) -> str | None:
    """The value of the menu's option that `text` names, in whichever language."""
    return _labels().get(folded(text)) if len(text) < 100 else None


def reply(language: str, text: str) -> Outbound:
    """`text` with the menu."""
    return Outbound(text=text, language=language, options=options(language), menu=True)


def yes_or_no(question: str, w: Words) -> tuple[tuple[Option, ...], ...]:
    """The two answers to `question`, side by side."""
    return ((Option(f"{question}:yes", w.text("Yes")), Option(f"{question}:no", w.text("No"))),)


def opened(state: State, view: View, rest: str = "") -> Step:
    assert view.guest
    text = words(view.guest.language).text("How can I help?")
    return Step(NOTHING, (reply(view.guest.language, text),))


def greeted(view: View) -> Step:
    assert view.guest
    text = words(view.guest.language).text("Hello, {name}! How can I help?", name=view.guest.name)
    return Step(NOTHING, (reply(view.guest.language, text),))


def started(state: State, view: View, payload: str | None) -> Step:
    """A guest came by `/start` or by the link of a cafe, which they join."""
    cafe = linked_cafe(payload, view)
    return greeted(view) if cafe is None else Step(NOTHING, (), (Join(cafe),))


def joined(state: State, view: View, outcome: Joined) -> Step:
    assert view.guest
    if not outcome.new:
        return greeted(view)
    w = words(view.guest.language)
    note = w.text("Your card works at {cafe} now, too.", cafe=outcome.cafe)
    message = reply(w.language, w.text("How can I help?"))
    return Step(NOTHING, (noted(note, message),))


def linked_cafe(payload: str | None, view: View) -> str | None:
    """The cafe that a deep link names (`cafe_bife`); None where there is no such cafe."""
    if not payload or not payload.startswith(DEEP_LINK):
        return None
    slug = payload.removeprefix(DEEP_LINK)
    return slug if any(cafe.slug == slug for cafe in view.cafes()) else None
