"""Rewards: picking one at a tap or several from a basket, their code, and what a till asks."""

from __future__ import annotations

from core.contract import Outbound
from core.conversation import menu, shelf
from core.conversation.questions import asked, left, words_of
from core.conversation.speech import folded, picked
from core.conversation.types import (
    NOTHING,
    AnswerTill,
    CancelPicked,
    NotPicked,
    Pick,
    PickOver,
    ShowPicked,
    State,
    Step,
    TillAnswered,
)
from core.conversation.views import View
from core.i18n import Words

LONGEST_ID = 18
"""Digits of an id that any database knows."""


def listed(state: State, view: View, programme: str = "") -> Step:
    """The rewards of a programme (its id), or of the guest's own."""
    return asked(State(asked="rewards", programme=programme or None), view)


def chosen(state: State, view: View, which: str) -> Step:
    """One reward, at one tap."""
    reward = _id(which)
    if reward is None:
        return listed(state, view)
    return Step(State(programme=state.programme), (), (Pick((reward,)),))


def in_basket(state: State, view: View, which: str) -> Step:
    """The basket is opened, something goes in or out, or its code is wanted."""
    found = view.shelf(state.programme)
    if found is None:
        return listed(state, view)
    before = shelf.chosen_of(state, found) if state.asked == "basket" else []
    ids = [reward.id for reward in before]
    if which == "get" and ids:
        return Step(State(programme=state.programme), (), (Pick(tuple(ids)),))
    reward = next((one for one in shelf.within_reach(found) if str(one.id) == which), None)
    if reward in before:
        ids = [one for one in ids if str(one) != which]
    elif reward and reward.cost <= found.available - sum(one.cost for one in before):
        ids.append(reward.id)
    kept = ",".join(map(str, ids)) or None
    return asked(State(asked="basket", programme=state.programme, basket=kept), view)


def of_one(state: State, view: View, rest: str) -> Step:
    """`yes`, `no`, `show` or `cancel`, and which redemption."""
    what, _, id_ = rest.partition(":")
    match what:
        case "yes" | "no":
            return Step(state, (), (AnswerTill(id_, what == "yes"),))
        case "show":
            return Step(NOTHING, (), (ShowPicked(id_),))
        case "cancel":
            return Step(state, (), (CancelPicked(id_),))
    return asked(state, view)


def answered(state: State, view: View, text: str) -> str | None:
    """A typed option of a message that no conversation has asked: Yes or No to a till's question
    (where that was asked last, or nothing else is open), Cancel below a code."""
    w = words_of(state, view)
    if folded(text) == folded(w.text("Cancel")) and (id_ := view.picked()):
        return f"redeem:cancel:{id_}"
    answer = picked(text, Outbound(text="", options=menu.yes_or_no("redeem", w)), view.capabilities)
    waiting = view.till_asks() if answer else None
    if waiting is None:
        return None
    by_word = state.asked is None and not text.strip().isdigit()
    return f"{answer}:{waiting.id}" if waiting.last or by_word else None


def label(value: str, w: Words) -> str | None:
    """What such an option said."""
    what = value.removeprefix("redeem:").partition(":")[0] if value.startswith("redeem:") else ""
    return {"yes": w.text("Yes"), "no": w.text("No"), "cancel": w.text("Cancel")}.get(what)


def not_picked(state: State, view: View, outcome: NotPicked) -> Step:
    w = words_of(state, view)
    note = (
        w.text("You don't have enough points for that now.")
        if outcome.too_dear
        else w.text("That can't be had right now.")
    )
    return asked(State(asked="rewards", programme=state.programme), view, note)


def over(state: State, view: View, outcome: PickOver) -> Step:
    return _noted(state, view, _what_became(outcome, words_of(state, view)))


def till_answered(state: State, view: View, outcome: TillAnswered) -> Step:
    w = words_of(state, view)
    text = (
        w.text("Thank you! The till can go on now.")
        if outcome.yes
        else w.text("All right, no points are taken.")
    )
    return _noted(state, view, text)


def _what_became(outcome: PickOver, w: Words) -> str:
    match outcome.status:
        case "confirmed" | "returned":
            return w.text("This was redeemed already.")
        case "cancelled":
            return w.text("Cancelled: {points} are free again.", points=outcome.points)
        case "expired":
            return w.text("The time is up: {points} are free again.", points=outcome.points)
    return w.text("This isn't there any more.")


def _noted(state: State, view: View, note: str) -> Step:
    """What was asked before is still open; without anything, the menu stands below."""
    state = left(state)
    if state.asked:
        return asked(state, view, note)
    return Step(NOTHING, (menu.reply(words_of(state, view).language, note),))


def _id(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_ID else None
