"""What a refund takes back of what an order was recorded to have given.

By the sum of all refunds so far, not each for itself: thirds of 100 take 33, 33 and 34, and
whatever the steps, a whole refund takes exactly what was given.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Given:
    """What an order gave. `earned_minor` is the money that its points stand for (its total, less
    what was refunded before its guest was found), `returned_minor` what was refunded of that;
    `carry_minor` is what it added to the account's carry, below zero where it used that up."""

    points: int
    carry_minor: int
    earned_minor: int
    returned_minor: int


@dataclass(frozen=True, slots=True)
class TakenBack:
    """To be taken from the account; `carry_minor` below zero is given instead."""

    points: int
    carry_minor: int


def take_back(given: Given, amount_minor: int) -> TakenBack:
    """For one more refund of `amount_minor`, at most what is left."""
    if given.earned_minor <= 0:
        return TakenBack(0, 0)
    after = given.returned_minor + amount_minor

    def share(whole: int) -> int:
        return _part(whole, after, given) - _part(whole, given.returned_minor, given)

    return TakenBack(share(given.points), share(given.carry_minor))


def _part(whole: int, returned_minor: int, given: Given) -> int:
    return whole * returned_minor // given.earned_minor
