"""Points: the balance, the way to the next reward, the last entries and why they were made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core import phrases
from core.conversation import menu
from core.conversation.speech import presented
from core.conversation.types import NOTHING, Account, Balance, LoadPoints, PointsLoaded, State, Step
from core.conversation.views import View
from core.i18n import Words, words
from core.phrases import entry_text, signed, way_to


def asked(state: State, view: View, rest: str = "") -> Step:
    return Step(NOTHING, (), (LoadPoints(),))


def shown(state: State, view: View, loaded: PointsLoaded) -> Step:
    """A paragraph for each programme that the guest collects in, as many as fit."""
    assert view.guest
    w = words(view.guest.language)
    named = len(loaded.accounts) > 1
    text = ""
    for account in loaded.accounts:
        longer = f"{text}\n\n{_paragraph(account, named, w)}".lstrip()
        whole = presented(menu.reply(w.language, longer), view.capabilities).text
        if text and len(whole) > view.capabilities.text_length:
            break
        text = longer
    return Step(state, (menu.reply(w.language, text or _none_yet(w)),))


def listed(balances: Sequence[Balance], w: Words) -> str:
    """`850 points`, or `BIFE 850 points, Kafeterija 40 points`; empty where there are none."""
    found = [balance for balance in balances if balance.points]
    if len(found) == 1:
        return w.points(found[0].points, found[0].unit)
    return ", ".join(f"{one.programme} {w.points(one.points, one.unit)}" for one in found)


def _paragraph(account: Account, named: bool, w: Words) -> str:
    return "\n".join(_lines(account, named, w))


def _lines(account: Account, named: bool, w: Words) -> Iterator[str]:
    balance = account.balance
    if named:
        yield f"{balance.programme}:"
    yield phrases.balance(balance.points, account.held, balance.unit, w)
    if account.reward:
        reward = account.reward
        free = balance.points - account.held
        yield way_to(reward.name, reward.cost, free, balance.unit, w)
    for entry in account.entries:
        points = signed(entry.points, balance.unit, w)
        yield f"{w.date(entry.day)} · {points} · {entry_text(entry.kind, entry.because, w)}"


def _none_yet(w: Words) -> str:
    return w.text("You have no points yet: show your card with your first order.")
