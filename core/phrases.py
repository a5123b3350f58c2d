"""Wordings that the conversation, the notices and the pages share: facts in, one phrase out.

A *reason* is what an award keeps of itself (`core.domain.earning`): `{"rule": "spend", "points":
45, "spent_minor": 45000, "currency": "RSD"}` or `{"rule": "product", "points": 40, "names": {"en":
"Cappuccino", …}, "quantity": "2"}`; a refund's is `{"rule": "refund", "points": -45,
"refunded_minor": 45000, "currency": "RSD"}`, an imported balance's `{"rule": "opening", …}`; a
reward's is `{"rule": "reward", "points": -1000, "names": {"en": "Free coffee", …}}`, with the rule
`returned` when it comes back; an order that was another guest's has `{"rule": "misgiven", …}`, what
expired `{"rule": "expired", …}`, what came from a programme
that is no more `{"rule": "programme", "points": 45, "programme": "BIFE"}`. An invitation gives
`invited` to the friend, `invitation` to whoever invited, and takes `invitation_return` from either.
A bonus has `{"rule": "bonus", "points": 45, "kind": "happy_hours", "names": {…}, "factor": 200}`:
no names where its owner gave it none, and a factor, in hundredths, where it multiplies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from core.i18n import N_, Words

Reason = Mapping[str, Any]

_BAR = 10
_BONUSES = {
    "welcome": N_("Welcome gift"),
    "birthday": N_("Birthday gift"),
    "first_of_day": N_("First visit of the day"),
    "nth_visit": N_("Bonus for coming often"),
    "spend_over": N_("Bonus for a large order"),
    "happy_hours": N_("Happy hours"),
    "product_multiplier": N_("Product bonus"),
}


def name_in(names: Mapping[str, str], words: Words) -> str:
    """A name kept by language, in this one; else in English; else in whichever there is."""
    return names.get(words.language) or names.get("en") or next(iter(names.values()), "")


def counted(names: Sequence[Mapping[str, str]], words: Words) -> str:
    """`2 × Free coffee, Cake`: things by their names in this language, the same ones together."""
    found = Counter(name_in(one, words) for one in names)
    return ", ".join(name if n == 1 else f"{n} × {name}" for name, n in found.items())


def discount(kind: str, value: int | None, currency: str, words: Words) -> str:
    """`12.5% off`, `150 RSD off`: what a reward takes off, `value` hundredths of a percent or minor
    units of money; "" where it is a product."""
    if value is None:
        return ""
    much = words.money(value, currency) if kind == "amount" else f"{words.number(percent(value))}%"
    return words.text("{discount} off", discount=much)


def percent(hundredths: int) -> Decimal:
    """`12.5`, and `10` without decimals."""
    return Decimal(hundredths).scaleb(-2).normalize()


def signed(points: int, unit: str, words: Words) -> str:
    """`+85 points`, `-12 points`."""
    return ("+" if points > 0 else "") + words.points(points, unit)


def balance(points: int, held: int, unit: str, words: Words) -> str:
    """`Balance: 850 points`, and below it what of them is held, where anything is."""
    line = words.text("Balance: {points}", points=words.points(points, unit))
    return f"{line}\n{held_of(held, unit, words)}" if held else line


def held_of(held: int, unit: str, words: Words) -> str:
    """Beside a balance: what open redemptions hold of it; "" where they hold nothing."""
    if not held:
        return ""
    points = words.points(held, unit)
    return words.text("Including {points} held for what you've picked", points=points)


def progress(balance: int, cost: int, words: Words) -> str:
    """`▓▓▓▓▓░░░░░ 525 / 1,000`; never fuller than it is, empty below zero."""
    full = min(max(balance, 0) * _BAR // cost, _BAR) if cost > 0 else _BAR
    bar = "▓" * full + "░" * (_BAR - full)
    return f"{bar} {words.number(balance)} / {words.number(cost)}"


def way_to(reward: str, cost: int, balance: int, unit: str, words: Words) -> str:
    """How far the next reward is: the bar, and under it the sentence that says so."""
    missing = words.points(max(cost - balance, 0), unit)
    sentence = words.text("{points} to go until “{reward}”.", points=missing, reward=reward)
    return f"{progress(balance, cost, words)}\n{sentence}"


def reached(reward: str, words: Words) -> str:
    """Said once, when the balance has come to a reward's cost."""
    return words.text("🎉 You've collected enough for “{reward}”!", reward=reward)


def why_out(bound: str, words: Words) -> str:
    """Why a reward can't be had at any cost: its `stock`, or the guest's `limit`."""
    if bound == "stock":
        return words.text("sold out for now")
    return words.text("you have had it as often as it can be had")


def bonus_name(kind: str, names: Mapping[str, str], words: Words) -> str:
    """What its owner called it, or what one of its kind is called."""
    return name_in(names, words) or words.text(_BONUSES[kind])


def times(factor: int, words: Words) -> str:
    """`×2`, `×1.5` of a factor in hundredths."""
    return f"×{words.number(Decimal(factor).scaleb(-2).normalize())}"


_PLAIN = {
    "expired": N_("Expired"),
    "invitation": N_("A friend came by your invitation"),
    "invitation_return": N_("Invitation: the first order was taken back"),
    "invited": N_("You came by a friend's invitation"),
    "misgiven": N_("An order was put on your card by mistake"),
    "opening": N_("Earlier balance"),
}
"""Reasons that say nothing of their own."""


def reason_text(reason: Reason, words: Words) -> str:
    """Why there were points, as a phrase without them: `450 RSD spent`, `2 × Cappuccino`."""
    match reason["rule"]:
        case "product":
            quantity = words.number(Decimal(reason["quantity"]))
            return f"{quantity} × {name_in(reason['names'], words)}"
        case "bonus":
            name = bonus_name(reason["kind"], reason["names"], words)
            return f"{name} {times(reason['factor'], words)}" if "factor" in reason else name
        case "refund":
            amount = words.money(reason["refunded_minor"], reason["currency"])
            return words.text("Refund of {amount}", amount=amount)
        case "reward":
            return words.text("Reward: {reward}", reward=name_in(reason["names"], words))
        case "returned":
            return words.text("Returned: {reward}", reward=name_in(reason["names"], words))
        case "programme":
            return words.text("Came along from “{programme}”", programme=reason["programme"])
        case plain if plain in _PLAIN:
            return words.text(_PLAIN[plain])
    spent = words.money(reason["spent_minor"], reason["currency"])
    if carried := reason.get("carried_minor"):
        rest = words.money(carried, reason["currency"])
        return words.text("{spent} spent, {rest} left over from before", spent=spent, rest=rest)
    return words.text("{spent} spent", spent=spent)


def entry_text(kind: str, because: Sequence[Reason], words: Words) -> str:
    """Why the balance moved, for one line of a list. `kind` is a ledger entry's."""
    if kind == "merge" and not because:
        return words.text("From your other profile")
    return " · ".join(reason_text(reason, words) for reason in because)


def invitation_promise(
    inviter_points: int, friend_points: int, unit: str, words: Words
) -> Iterator[str]:
    """What a friend's first paid order gives to either side, for whoever invites."""
    if inviter_points:
        points = words.points(inviter_points, unit)
        yield words.text("For a friend's first paid order you get {points}.", points=points)
    if friend_points:
        points = words.points(friend_points, unit)
        yield words.text("With that order your friend gets {points}.", points=points)


def friends_came(friends: int, brought: int, unit: str, words: Words) -> Iterator[str]:
    """What has come of a guest's invitation so far; nothing while nobody came."""
    if friends:
        yield words.count(
            "{count} friend has come by your links.",
            "{count} friends have come by your links.",
            friends,
        )
    if brought:
        points = words.points(brought, unit)
        yield words.text("Your invitations have brought you {points}.", points=points)
