"""When one card gets far more by an employee's hand than their other cards: somebody may be feeding
it, their own or a friend's.

A regular comes often too, but never alone: so an employee's fullest cards are measured against the
next one. There is more than one of them because friends feed each other's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple

WITHIN = timedelta(days=30)
TIMES = 10
"""Fewer purchases than these are nothing to speak of."""
AMONG = 3
"""So many cards may be fed by one employee and still stand out."""
FACTOR = 4
"""Standing out: so many times the points of the fullest card that doesn't."""


class Fed(NamedTuple):
    """A card as an employee filled it within the time: `times` purchases, worth `points`."""

    guest_id: int
    times: int
    points: int


def standing_out(cards: Iterable[Fed]) -> Sequence[Fed]:
    """Which of one employee's cards in one programme are fed, by all that one can see."""
    fullest = sorted(cards, key=lambda card: -card.points)
    usual = fullest[AMONG].points if len(fullest) > AMONG else 0
    least = max(usual * FACTOR, 1)
    return [card for card in fullest[:AMONG] if card.times >= TIMES and card.points >= least]
