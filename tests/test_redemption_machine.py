"""Redemptions against a model: whatever guests, tills, orders and the clock do, in any order, what
is held, taken, given back and expired is what a small model of it says."""

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from core.domain.expiry import expires_at
from core.services import expiring, ledger, lots, redemptions, returns, rewards
from core.services.errors import (
    AlreadyConfirmed,
    AwaitingGuest,
    Cancelled,
    Expired,
    Insufficient,
    NotAvailable,
)
from core.storage.database import Database
from core.storage.tx import Tx
from tests.support.counter import Counter
from tests.support.shop import MINUTE, NOW

REFUSALS = {"confirmed": AlreadyConfirmed, "returned": AlreadyConfirmed, "cancelled": Cancelled}
OPEN = ("awaiting_guest", "held")
GIVEN = 150
DAY = 24 * 60
STOCK = 3


@dataclass
class Pick:
    """What the model knows of a redemption; `order`: the one that used it."""

    id: str
    guest: int
    cost: int
    ends: float
    status: str = "held"
    order: str | None = None
    mugs: int = 0

    def holds(self, minute: float) -> bool:
        return self.status in OPEN and minute < self.ends

    def at(self, minute: float) -> str:
        return "expired" if self.status in OPEN and minute >= self.ends else self.status


@dataclass
class Purse:
    """A guest's points: what is in lots by the minute in which they are gone; `hole` below zero."""

    lots: dict[float, int] = field(default_factory=dict)
    hole: int = 0
    taken: dict[str, dict[float, int]] = field(default_factory=dict)

    def balance(self) -> int:
        return sum(self.lots.values()) - self.hole

    def good(self, minute: float) -> int:
        return sum(n for gone, n in self.lots.items() if gone > minute) - self.hole

    def add(self, points: int, gone: float) -> None:
        filled = min(points, self.hole)
        self.hole -= filled
        self.lots[gone] = self.lots.get(gone, 0) + points - filled

    def take(self, points: int, minute: float, reference: str = "") -> None:
        for gone in sorted(self.lots, key=lambda gone: (gone <= minute, gone)):
            part = min(points, self.lots[gone])
            points -= part
            self.lots[gone] -= part
            self.taken.setdefault(reference, {})[gone] = part
        self.hole += points

    def give_back(self, reference: str) -> None:
        for gone, points in sorted(self.taken[reference].items(), reverse=True):
            self.add(points, gone)


class RedemptionMachine(RuleBasedStateMachine):
    """Each run is one transaction that is never committed. Points expire after a month; nothing
    moves the clock by more than a few days."""

    database: Database

    @initialize(expiry=st.booleans())
    def open(self, expiry: bool) -> None:
        self.connection = self.database.writer_engine.connect()
        self.transaction = self.connection.begin()
        self.shop = Counter(Tx(self.connection))
        self.mug = self.shop.reward("Mug", 10, stock=STOCK)
        if expiry:
            lots.set_expiry(self.shop.tx, self.shop.cafe.programme_id, 1, NOW)
        self.expiry, self.minute, self.stock = expiry, 0.0, STOCK
        self.guests = [self.shop.guest("Ana"), self.shop.guest("Bob")]
        self.purses = {guest: Purse() for guest in self.guests}
        self.picks: list[Pick] = []
        self.orders = 0
        self.old_costs: list[tuple[int, float, set[int]]] = []
        self.costs = {self.shop.cake: 100, self.shop.coffee: 40, self.mug: 10}
        for guest in self.guests:
            self.earn(guest, GIVEN)

    def teardown(self) -> None:
        if hasattr(self, "connection"):
            self.transaction.rollback()
            self.connection.close()

    def earn(self, guest: int, points: int) -> None:
        self.shop.give(guest, points, minute=self.minute)
        if points > 0:
            self.purses[guest].add(points, self.gone())
        else:
            self.purses[guest].take(-points, self.minute)

    def gone(self) -> float:
        """The minute in which points that are given now expire."""
        if not self.expiry:
            return float("inf")
        now = NOW + self.minute * MINUTE
        return (expires_at(now, 1, "Europe/Belgrade") - NOW) / MINUTE

    def available(self, guest: int) -> int:
        held = sum(p.cost for p in self.picks if p.guest == guest and p.holds(self.minute))
        return self.purses[guest].good(self.minute) - held

    def mugs_left(self) -> int:
        return self.stock - sum(pick.mugs for pick in self.picks if pick.holds(self.minute))

    def expected(self, guest: int, ids: list[int]) -> type[Exception] | None:
        mine = [p for p in self.picks if p.guest == guest and p.holds(self.minute)]
        if ids.count(self.mug) > self.mugs_left() or len(mine) >= redemptions.MOST_OPEN:
            return NotAvailable
        return Insufficient if self.cost(guest, ids) > self.available(guest) else None

    def cost(self, guest: int, ids: list[int]) -> int:
        """For this guest: an old cost of the cake that was within reach holds for 30 days."""
        kept = [
            old
            for old, minute, reach in self.old_costs
            if guest in reach and self.minute < minute + 30 * DAY
        ]
        costs = {**self.costs, self.shop.cake: min([self.costs[self.shop.cake], *kept])}
        return sum(costs[one] for one in ids)

    def picked(self, redemption, guest: int, ids: list[int], status: str = "held") -> None:
        cost = self.cost(guest, ids)
        assert (redemption.points, redemption.status) == (cost, status)
        ends = self.minute + 10
        mugs = ids.count(self.mug)
        self.picks.append(Pick(redemption.id, guest, cost, ends, status, mugs=mugs))

    # -- what happens -------------------------------------------------------------------------

    @rule(
        who=st.sampled_from([0, 1]),
        what=st.lists(st.sampled_from([0, 1, 2]), min_size=1, max_size=3),
    )
    def pick(self, who: int, what: list[int]) -> None:
        guest, ids = self.guests[who], [list(self.costs)[n] for n in what]
        wrong = self.expected(guest, ids)
        if wrong:
            with pytest.raises(wrong), self.shop.tx.alone():
                self.shop.pick(guest, *ids, minute=self.minute)
            return
        self.picked(self.shop.pick(guest, *ids, minute=self.minute), guest, ids)

    @rule(who=st.sampled_from([0, 1]), proof=st.sampled_from(["qr", "code"]))
    def till_starts(self, who: int, proof: str) -> None:
        guest, ids = self.guests[who], [self.shop.coffee]
        visit = self.shop.visit(guest, self.minute, proof=proof).public_id
        if wrong := self.expected(guest, ids):
            with pytest.raises(wrong), self.shop.tx.alone():
                self.shop.start(visit, *ids, minute=self.minute)
            return
        status = "held" if proof == "qr" else "awaiting_guest"
        started = self.shop.start(visit, *ids, minute=self.minute)
        self.picked(started, guest, ids, status)

    @precondition(lambda self: any(p.status == "awaiting_guest" for p in self.picks))
    @rule(yes=st.booleans())
    def answer(self, yes: bool) -> None:
        pick = next(p for p in self.picks if p.status == "awaiting_guest")
        if pick.at(self.minute) == "expired" and yes:
            with pytest.raises(Expired):
                self.shop.answer(pick.guest, pick.id, yes, self.minute)
            return
        pick.status = self.shop.answer(pick.guest, pick.id, yes, self.minute).status
        assert pick.status == ("held" if yes else "cancelled")

    @precondition(lambda self: self.picks)
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        pick = data.draw(st.sampled_from(self.picks))
        wrong = self.refusal(pick)
        if wrong:
            with pytest.raises(wrong), self.shop.tx.alone():
                self.shop.confirm(pick.id, "another key", minute=self.minute)
            return
        self.purses[pick.guest].take(pick.cost, self.minute, pick.id)
        said = self.shop.confirm(pick.id, pick.id, minute=self.minute)
        assert said["balance"] == self.purses[pick.guest].balance()
        assert self.shop.confirm(pick.id, pick.id, minute=self.minute + 99)["id"] == pick.id
        pick.status = "confirmed"
        self.stock -= pick.mugs

    def refusal(self, pick: Pick) -> type[Exception] | None:
        status = pick.at(self.minute)
        if status == "awaiting_guest":
            return AwaitingGuest
        if status == "held":
            good = self.purses[pick.guest].good(self.minute)
            return Insufficient if good < pick.cost else None
        return REFUSALS.get(status, Expired)

    @precondition(lambda self: self.picks)
    @rule(data=st.data(), by_guest=st.booleans())
    def cancel(self, data: st.DataObject, by_guest: bool) -> None:
        pick = data.draw(st.sampled_from(self.picks))
        status = pick.at(self.minute)
        if by_guest:
            now = NOW + self.minute * MINUTE
            redemptions.cancel_by_guest(self.shop.tx, pick.guest, pick.id, now)
        elif status in ("confirmed", "returned", "expired"):
            with pytest.raises(REFUSALS.get(status, Expired)):
                self.shop.cancel(pick.id, self.minute)
            return
        else:
            self.shop.cancel(pick.id, self.minute)
        if pick.status in OPEN:
            pick.status = "cancelled"

    @precondition(lambda self: any(p.status == "confirmed" and not p.order for p in self.picks))
    @rule()
    def order_uses_it(self) -> None:
        pick = next(p for p in self.picks if p.status == "confirmed" and not p.order)
        self.orders += 1
        pick.order = f"o{self.orders}"
        self.shop.order(pick.order, 0, redemptions=(pick.id,), minute=self.minute)

    @precondition(lambda self: any(p.status == "confirmed" and p.order for p in self.picks))
    @rule()
    def refund_after(self) -> None:
        pick = next(p for p in self.picks if p.status == "confirmed" and p.order)
        self.shop.refund(pick.order, f"r {pick.order}", minute=self.minute)
        self.comes_back(pick)

    @precondition(lambda self: any(p.status == "confirmed" for p in self.picks))
    @rule()
    def undo(self) -> None:
        pick = [p for p in self.picks if p.status == "confirmed"][-1]
        now = NOW + self.minute * MINUTE
        try:
            returns.undo(self.shop.tx, till=self.shop.till, public_id=pick.id, now=now)
        except returns.TooLate:
            return
        self.comes_back(pick)

    def comes_back(self, pick: Pick) -> None:
        self.purses[pick.guest].give_back(pick.id)
        pick.status = "returned"
        self.stock += pick.mugs

    @rule(who=st.sampled_from([0, 1]), points=st.sampled_from([-120, -30, 25, 80]))
    def move_points(self, who: int, points: int) -> None:
        self.earn(self.guests[who], points)

    @rule(minutes=st.sampled_from([1.0, 4.0, 11.0]))
    def time_passes(self, minutes: float) -> None:
        self.minute += minutes

    @rule(days=st.sampled_from([3, 16, 40]))
    def days_pass(self, days: int) -> None:
        self.minute += days * DAY

    @rule(cost=st.sampled_from([60, 100, 120]))
    def cost_changes(self, cost: int) -> None:
        before = self.costs[self.shop.cake]
        if cost != before:
            reach = {g for g, purse in self.purses.items() if purse.balance() >= before}
            self.old_costs.append((before, self.minute, reach))
        rewards.set_cost(self.shop.tx, self.shop.cake, cost, NOW + self.minute * MINUTE)
        self.costs[self.shop.cake] = cost
        self.minute += 0.01  # what comes in the very same microsecond has no before and after

    @rule()
    def sweep(self) -> None:
        now = NOW + self.minute * MINUTE
        redemptions.expire(self.shop.tx, now)
        expiring.sweep(self.shop.tx, now)
        for pick in self.picks:
            pick.status = pick.at(self.minute)
        for purse in self.purses.values():
            purse.lots = {gone: n for gone, n in purse.lots.items() if gone > self.minute}

    # -- what always holds --------------------------------------------------------------------

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        if not hasattr(self, "shop"):
            return
        for guest, purse in self.purses.items():
            assert self.shop.balance(guest) == purse.balance()
            assert self.shop.available(guest, self.minute) == self.available(guest)
            offers = self.shop.offers(guest, self.minute)
            assert offers["Cake"].cost == self.cost(guest, [self.shop.cake])
            assert offers["Mug"].left == self.mugs_left()
        for pick in self.picks:
            assert self.shop.status(pick.id) == pick.status
        assert ledger.prove(self.shop.tx) == []
        assert lots.prove(self.shop.tx) == []


def test_redemptions_are_what_the_model_says(database_url):
    database = Database(database_url)
    machine = type("Machine", (RedemptionMachine,), {"database": database})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20 if database.is_sqlite else 8,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    database.close()
