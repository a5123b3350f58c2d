"""What a guest is told besides replies: facts are queued now, and put into words at hand-over.

Facts, as JSON, of every kind: `cafe` (its name), `points` (below zero when taken back), `unit`,
`balance`, and where there is one `next`, the next reward, or `reached`, the one that these points
reached (`{"names": {"en": …}, "cost": 1000}`); of `points_earned` and of an `invitation_…` also
`because`, the reasons, and of `points_taken_back` where it wasn't a refund; of a `redemption_…`
also `rewards`, the names of each by language, and of the question `redemption`, its public id; of
`points_expiring` also `first` and `last`, the last days on which they are good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

import sqlalchemy as sa

from core.contract import Option, Outbound
from core.i18n import Words, words
from core.phrases import counted, name_in, reached, reason_text, signed, way_to
from core.services import alarms, messages
from core.storage.tables import contacts, guests
from core.storage.tx import Prepared, Tx

Notice = Literal[
    "points_earned",
    "points_taken_back",
    "joined_balance",
    "points_expiring",
    "invitation_points",
    "invitation_taken_back",
    "redemption_question",
    "redemption_confirmed",
    "redemption_cancelled",
    "redemption_expired",
    "redemption_returned",
]
Facts = Mapping[str, Any]

_SIGNS: dict[str, str] = {
    "points_earned": "☕",
    "points_taken_back": "↩️",
    "joined_balance": "🎁",
    "points_expiring": "⏳",
    "invitation_points": "👥",
    "invitation_taken_back": "↩️",
    "redemption_question": "⭐",
    "redemption_confirmed": "🎉",
    "redemption_cancelled": "✖️",
    "redemption_expired": "⌛",
    "redemption_returned": "↩️",
}
_FREE_AGAIN = frozenset({"redemption_cancelled", "redemption_expired"})
_OF_REWARDS = _FREE_AGAIN | {"redemption_question"}
"""Nothing has moved: the headline says the rewards instead of points."""

KINDS = frozenset(_SIGNS)
WAITING = KINDS - _OF_REWARDS | {alarms.KIND}
"""Kinds that somebody wants to hear of later, too, where a messenger takes nothing right now."""
WAITED = "waited"
"""The kind of the message that such notices become: `notices`, each its kind and its facts."""

_REACHED_AT = Prepared(
    sa.select(contacts.c.id, contacts.c.channel)
    .join(guests, guests.c.id == contacts.c.guest_id)
    .where(contacts.c.guest_id == sa.bindparam("guest_id"), contacts.c.gone_at.is_(None))
    .order_by(
        sa.case((contacts.c.channel == guests.c.told_on, sa.text("0")), else_=sa.text("1")),
        contacts.c.heard_at.desc().nulls_last(),
        contacts.c.id.desc(),
    )
)


def notify(
    tx: Tx,
    guest_id: int,
    kind: Notice,
    facts: Facts,
    now: datetime,
    *,
    lane: int = messages.NOTIFICATION,
    expires_at: datetime | None = None,
) -> int | None:
    """Queues a notice on the messenger that the guest chose, else where they were heard last; the
    message's id, or None if they can't be reached. It is given up after a day, or at
    `expires_at`."""
    contact = tx.run(_REACHED_AT, guest_id=guest_id)
    if contact is None:
        return None
    return messages.put(
        tx,
        contact_id=contact[0],
        channel=contact[1],
        lane=lane,
        kind=kind,
        body=facts,
        now=now,
        expires_at=expires_at,
    )


def render_notice(kind: str, facts: Facts, language: str) -> Outbound:
    """The notice in the guest's language; `variables` has its parts for a provider's templates."""
    w = words(language)
    points = signed(facts["points"], facts["unit"], w)
    balance = w.points(facts["balance"], facts["unit"])
    lines = [_headline(kind, facts, w), *_why(kind, facts, w)]
    lines += [w.text("Balance: {points}", points=balance), *_outlook(facts, w)]
    return Outbound(
        text="\n".join(lines),
        kind=kind,
        language=w.language,
        options=_options(facts, w) if kind == "redemption_question" else (),
        variables={
            "cafe": facts["cafe"],
            "points": points,
            "because": " · ".join(_why(kind, facts, w)),
            "balance": balance,
            **({"rewards": _rewards(facts, w)} if "rewards" in facts else {}),
            **_reward_variables(facts, w),
        },
    )


def render_waited(notices: Sequence[tuple[str, Facts]], language: str) -> Outbound:
    """Notices that had to wait, as one: of each cafe the newest whole, its balance too, of the
    others what happened. Alarms, where the guest is an owner too, come first."""
    w = words(language)
    of_guest = [(kind, facts) for kind, facts in notices if kind != alarms.KIND]
    newest = {facts["cafe"]: number for number, (_, facts) in enumerate(of_guest)}
    parts = [alarms.said(facts, language) for kind, facts in notices if kind == alarms.KIND]
    parts += [
        render_notice(kind, facts, language).text
        if number == newest[facts["cafe"]]
        else _headline(kind, facts, w)
        for number, (kind, facts) in enumerate(of_guest)
    ]
    return Outbound(text="\n\n".join(parts), kind=WAITED, language=w.language)


def _headline(kind: str, facts: Facts, w: Words) -> str:
    if kind in _OF_REWARDS:
        return f"{_SIGNS[kind]} {facts['cafe']}: {_rewards(facts, w)}"
    if kind == "points_expiring":
        return f"{_SIGNS[kind]} {facts['cafe']}: {w.points(facts['points'], facts['unit'])}"
    return f"{_SIGNS[kind]} {facts['cafe']}: {signed(facts['points'], facts['unit'], w)}"


def _why(kind: str, facts: Facts, w: Words) -> list[str]:
    if kind == "points_taken_back" and "because" not in facts:
        return [w.text("An order was refunded.")]
    if kind == "joined_balance":
        return [w.text("Your earlier balance is on your card now.")]
    if kind == "points_expiring":
        return [_good_until(facts, w)]
    if kind.startswith("redemption_"):
        return [_of_redemption(kind, facts, w)]
    because = facts["because"]
    if len(because) == 1:
        return [reason_text(because[0], w)]
    return [
        f"{reason_text(reason, w)}: {signed(reason['points'], facts['unit'], w)}"
        for reason in because
    ]


def _of_redemption(kind: str, facts: Facts, w: Words) -> str:
    points, rewards = w.points(abs(facts["points"]), facts["unit"]), _rewards(facts, w)
    match kind:
        case "redemption_question":
            return w.text("Redeem this for {points} at the till now?", points=points)
        case "redemption_confirmed":
            return w.text("Enjoy it: {rewards}", rewards=rewards)
        case "redemption_cancelled":
            return w.text("Cancelled: {points} are free again.", points=points)
        case "redemption_expired":
            return w.text("The time is up: {points} are free again.", points=points)
    return w.text("Taken back, and paid back in points: {rewards}", rewards=rewards)


def _good_until(facts: Facts, w: Words) -> str:
    first, last = (w.date(date.fromisoformat(facts[day])) for day in ("first", "last"))
    if first == last:
        return w.text("They can be used until {day}.", day=first)
    return w.text("They expire soon, from {first} to {last}.", first=first, last=last)


def _rewards(facts: Facts, w: Words) -> str:
    return counted(facts.get("rewards", ()), w)


def _options(facts: Facts, w: Words) -> tuple[tuple[Option, ...], ...]:
    return (
        (
            Option(f"redeem:yes:{facts['redemption']}", w.text("Yes")),
            Option(f"redeem:no:{facts['redemption']}", w.text("No")),
        ),
    )


def _outlook(facts: Facts, w: Words) -> list[str]:
    """What the balance is good for: the reward just reached, or the way to the next."""
    if facts["balance"] < 0:
        return [w.text("That is below zero: your next orders will make up for it.")]
    if reward := facts.get("reached"):
        return [reached(name_in(reward["names"], w), w)]
    if reward := facts.get("next"):
        name = name_in(reward["names"], w)
        return [way_to(name, reward["cost"], facts["balance"], facts["unit"], w)]
    return []


def _reward_variables(facts: Facts, w: Words) -> dict[str, str]:
    reward = facts.get("reached") or facts.get("next")
    if not reward:
        return {"reward": "", "missing": ""}
    missing = max(reward["cost"] - facts["balance"], 0)
    return {"reward": name_in(reward["names"], w), "missing": w.points(missing, facts["unit"])}
