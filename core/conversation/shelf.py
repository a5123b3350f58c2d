"""Rewards as they are put to a guest: what is within reach, what is missing, what can't be had."""

from __future__ import annotations

from collections.abc import Iterator

from core import phrases
from core.contract import Option, Outbound
from core.conversation import menu
from core.conversation.types import State
from core.conversation.views import RewardView, Shelf, View
from core.i18n import Words
from core.phrases import why_out

REACHED, SAVED_FOR, OUT = "✅", "🔒", "🚫"
CHOSEN = "✓"

Rows = tuple[tuple[Option, ...], ...]


def listed(w: Words, view: View, state: State) -> Outbound:
    """The rewards, one tap each; the menu where there are none."""
    shelf = view.shelf(state.programme)
    if shelf is None:
        return menu.reply(w.language, w.text("There are no rewards to pick yet."))
    reached = within_reach(shelf)
    options = [Option(f"reward:{reward.id}", reward.name) for reward in reached]
    if sum(reward.cost for reward in reached[:2]) <= shelf.available and len(reached) > 1:
        options.append(Option("basket", w.text("Several at once")))
    options += [
        Option(f"redeem:show:{one.id}", w.text("Code: {rewards}", rewards=one.names), personal=True)
        for one in shelf.picked
    ]
    options += [Option(f"rewards:{id_}", name) for id_, name in shelf.others]
    end = w.text("Which one would you like?") if reached else ""
    parts = ["\n".join(_head(shelf, w)), "\n".join(_lines(shelf, w)), end]
    return Outbound(
        text="\n\n".join(filter(None, parts)),
        language=w.language,
        options=_column(*options, Option("menu", w.text("Back"))),
    )


def basket(w: Words, view: View, state: State) -> Outbound:
    """Several rewards: pressed they come in, pressed again they go."""
    shelf = view.shelf(state.programme)
    if shelf is None:
        return listed(w, view, state)
    chosen = chosen_of(state, shelf)
    spent = sum(reward.cost for reward in chosen)
    options = [
        Option(f"basket:{one.id}", f"{CHOSEN} {one.name}" if one in chosen else one.name, True)
        for one in within_reach(shelf)
        if one in chosen or one.cost <= shelf.available - spent
    ]
    if chosen:
        options.append(Option("basket:get", w.text("Get the code")))
    lines = [w.text("Press what you would like; press it again to take it out.")]
    lines += [f"{CHOSEN} {priced(reward, shelf.unit, w)}" for reward in chosen]
    left = w.points(shelf.available - spent, shelf.unit)
    lines.append(w.text("Left to pick from: {points}", points=left))
    return Outbound(
        text="\n".join(lines),
        language=w.language,
        options=_column(*options, Option("back", w.text("Back"))),
    )


def within_reach(shelf: Shelf) -> list[RewardView]:
    return [reward for reward in shelf.rewards if reward.out is None and reward.missing == 0]


def chosen_of(state: State, shelf: Shelf) -> list[RewardView]:
    """What is in the basket and can still be had."""
    ids = set((state.basket or "").split(","))
    return [reward for reward in within_reach(shelf) if str(reward.id) in ids]


def priced(reward: RewardView, unit: str, w: Words) -> str:
    return f"{reward.name}: {w.points(reward.cost, unit)}"


def _head(shelf: Shelf, w: Words) -> Iterator[str]:
    if shelf.others:
        yield f"{shelf.programme}:"
    yield phrases.balance(shelf.balance, shelf.held, shelf.unit, w)
    for one in shelf.picked:
        yield w.text(
            "Picked and waiting for the till until {time}: {rewards}",
            time=one.until,
            rewards=one.names,
        )


def _lines(shelf: Shelf, w: Words) -> Iterator[str]:
    for reward in shelf.rewards:
        yield _line(reward, shelf.unit, w)
        if reward.text:
            yield reward.text


def _line(reward: RewardView, unit: str, w: Words) -> str:
    name = priced(reward, unit, w)
    if reward.out:
        return f"{OUT} {name} ({why_out(reward.out, w)})"
    if reward.missing:
        missing = w.text("{points} to go", points=w.points(reward.missing, unit))
        return f"{SAVED_FOR} {name} ({missing})"
    return f"{REACHED} {name}"


def _column(*options: Option) -> Rows:
    return tuple((option,) for option in options)
