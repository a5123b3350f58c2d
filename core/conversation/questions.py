"""Every question and list that can be open, by its name in `State.asked`.

They are asked of a guest to be and of a guest alike; only who is asked differs.
"""

from __future__ import annotations

from collections.abc import Callable

from core.contract import Link, Option, Outbound
from core.conversation import answers, menu, shelf
from core.conversation.speech import noted
from core.conversation.types import State, Step
from core.conversation.views import Messenger, View
from core.i18n import LANGUAGES, N_, Words, words

LANGUAGE_NAMES = {"en": "English", "sr": "Srpski", "ru": "Русский"}

NOT_UNDERSTOOD = N_("I didn't understand that.")
REFUSALS = {
    "name": N_("Please write a name of up to 64 characters."),
    "phone": N_("That doesn't look like a phone number. Please write it like +381 60 123 4567."),
    "email": N_("That doesn't look like an e-mail address. Please write it like ana@example.com."),
    "birthday": N_("Please write your birthday like 24.12.1990, or 24.12. without the year."),
}
"""What is said to an answer that can't be taken."""

Rows = tuple[tuple[Option, ...], ...]


def words_of(state: State, view: View) -> Words:
    """In the guest's language; before there is one, in the one chosen, or the messenger's own."""
    return words(view.guest.language if view.guest else state.language or view.language)


def question(state: State, view: View) -> Outbound:
    """What is open, as it is asked; the menu where nothing is."""
    w = words_of(state, view)
    if ask := _ASK.get(state.asked or ""):
        return ask(w, view)
    if ask_on := _ASK_ON.get(state.asked or ""):
        return ask_on(w, view, state)
    return menu.reply(w.language, w.text("How can I help?"))


def asked(state: State, view: View, note: str | None = None) -> Step:
    """What is open is asked (again), with `note` before it."""
    message = question(state, view)
    return Step(state, (noted(note, message) if note else message,))


def refused(state: State, view: View) -> Step:
    """What came can't be taken for an answer."""
    note = words_of(state, view).text(REFUSALS.get(state.asked or "", NOT_UNDERSTOOD))
    return asked(left(state), view, note)


def left(state: State) -> State:
    """A list wants no answer: whoever says something else has left it."""
    return State() if state.asked in ("settings", "data", "rewards", "basket") else state


# -- of everybody ----------------------------------------------------------------------------------


def _language(w: Words, view: View, state: State) -> Outbound:
    first = view.guest.language if view.guest else view.language
    order = sorted(LANGUAGES, key=lambda language: language != first)
    languages = [Option(f"language:{code}", LANGUAGE_NAMES[code]) for code in order]
    text = w.text("Which language do you prefer?")
    if view.guest:
        return _open(w, text, *languages, _back(w))
    welcome = w.text("Welcome to {business}! Your card is a few taps away.", business=view.business)
    privacy = w.text("The privacy notice says how we treat your data.")
    link = Link(w.text("Privacy notice"), view.privacy_url)
    return Outbound(
        text="\n".join([*_invited(w, view, state), welcome, privacy, "", text]),
        language=w.language,
        options=_column(*languages),
        links=(link,),
    )


def _invited(w: Words, view: View, state: State) -> list[str]:
    """What the invitation says that somebody new came by."""
    invited = view.invitation(state.invitation) if state.invitation else None
    if invited is None or not invited.points:
        return []
    points = w.points(invited.points, invited.unit)
    return [w.text("A friend invites you: with your first order you get {points}.", points=points)]


def _name(w: Words, view: View) -> Outbound:
    offered = [Option("name:offered", view.name, personal=True)] if view.name else []
    return _open(w, w.text("What is your name?"), *offered, _back(w))


def _phone(w: Words, view: View) -> Outbound:
    asks = view.capabilities.asks_phone
    why = w.text("With your phone number your points stay yours, whichever messenger you use.")
    how = w.text("Share it with one tap or type it.") if asks else w.text("Please type it.")
    skip = [Option("phone:skip", w.text("Skip"))]
    passing = _remove(w, "phone", view.guest.phone) if view.guest else skip
    return Outbound(
        text=f"{why}\n{how}",
        language=w.language,
        options=_column(*passing, _back(w)),
        ask_phone=w.text("📱 Share my number") if asks else None,
    )


def _cafe(w: Words, view: View) -> Outbound:
    cafes = [Option(f"cafe:{cafe.slug}", cafe.name) for cafe in view.cafes()]
    return _open(w, w.text("Which cafe do you go to most?"), *cafes, _back(w))


def _offers(w: Words, view: View) -> Outbound:
    text = w.text("May we send you offers now and then?")
    return Outbound(text=text, language=w.language, options=menu.yes_or_no("offers", w))


# -- of guests -------------------------------------------------------------------------------------


def _settings(w: Words, view: View) -> Outbound:
    cafe = (Option("set:cafe", w.text("Home cafe")),) if len(view.cafes()) > 1 else ()
    told_on = (Option("set:told_on", w.text("Notifications")),) if len(linked_to(view)) > 1 else ()
    link = (
        (Option("link", w.text("Connect another messenger")),) if len(view.messengers()) > 1 else ()
    )
    rows = (
        (Option("set:language", w.text("Language")), Option("set:name", w.text("Name"))),
        (Option("set:phone", w.text("Phone")), Option("set:email", w.text("E-mail"))),
        (Option("set:birthday", w.text("Birthday")), Option("set:offers", w.text("Offers"))),
        (*cafe, *told_on, Option("data", w.text("My data"))),
        *((link,) if link else ()),
        (_back(w),),
    )
    return Outbound(text=_values(w, view), language=w.language, options=rows)


def _values(w: Words, view: View) -> str:
    assert view.guest
    guest, none = view.guest, "—"
    birthday = answers.birthday_text(guest.birthday, w) if guest.birthday else none
    values: tuple[tuple[str, str], ...] = (
        (w.text("Language"), LANGUAGE_NAMES[w.language]),
        (w.text("Name"), guest.name),
        (w.text("Phone"), guest.phone or none),
        (w.text("E-mail"), guest.email or none),
        (w.text("Birthday"), birthday),
        (w.text("Home cafe"), guest.home.name if guest.home else none),
        (w.text("Offers"), w.text("Yes") if guest.offers else w.text("No")),
    )
    if len(linked_to(view)) > 1:
        values += ((w.text("Notifications"), _told_on(w, view)),)
    lines = [f"{label}: {value}" for label, value in values]
    return "\n".join([*lines, "", w.text("What would you like to change?")])


def linked_to(view: View) -> list[Messenger]:
    """The messengers on which the guest has a chat."""
    return [one for one in view.messengers() if one.linked]


def _told_on(w: Words, view: View) -> str:
    chosen = view.guest.told_on if view.guest else None
    title = next((one.title for one in linked_to(view) if one.name == chosen), None)
    return title or w.text("Where I wrote last")


def _where(w: Words, view: View) -> Outbound:
    titles = [Option(f"told_on:{one.name}", one.title) for one in linked_to(view)]
    last = Option("told_on:last", w.text("Where I wrote last"))
    return _open(w, w.text("Where should I tell you of new points?"), *titles, last, _back(w))


def _email(w: Words, view: View) -> Outbound:
    remove = _remove(w, "email", view.guest.email if view.guest else None)
    return _open(w, w.text("Please write your e-mail address."), *remove, _back(w))


def _birthday(w: Words, view: View) -> Outbound:
    remove = _remove(w, "birthday", view.guest.birthday if view.guest else None)
    text = w.text("When is your birthday? Write it like 24.12.1990, or 24.12. without the year.")
    return _open(w, text, *remove, _back(w))


def _data(w: Words, view: View) -> Outbound:
    return Outbound(
        text=w.text("You can get everything that we keep about you, or have it erased."),
        language=w.language,
        options=_column(
            Option("data:export", w.text("Export")),
            Option("data:erase", w.text("Erase")),
            _back(w),
        ),
        links=(Link(w.text("Privacy notice"), view.privacy_url),),
    )


def _erase(w: Words, view: View) -> Outbound:
    text = w.text(
        "Your name, phone number, card and messages are erased for good, and your points are lost. "
        "Are you sure?"
    )
    return _open(w, text, Option("erase:yes", w.text("Yes, erase everything")), _back(w))


def _remove(w: Words, which: str, value: str | None) -> list[Option]:
    return [Option(f"{which}:remove", w.text("Remove"))] if value else []


def _back(w: Words) -> Option:
    return Option("back", w.text("Back"))


def _open(w: Words, text: str, *options: Option) -> Outbound:
    return Outbound(text=text, language=w.language, options=_column(*options))


def _column(*options: Option) -> Rows:
    return tuple((option,) for option in options)


_ASK: dict[str, Callable[[Words, View], Outbound]] = {
    "name": _name,
    "phone": _phone,
    "cafe": _cafe,
    "offers": _offers,
    "settings": _settings,
    "told_on": _where,
    "email": _email,
    "birthday": _birthday,
    "data": _data,
    "erase": _erase,
}
_ASK_ON: dict[str, Callable[[Words, View, State], Outbound]] = {
    "language": _language,
    "rewards": shelf.listed,
    "basket": shelf.basket,
}
"""Those that go on from what was chosen so far."""
