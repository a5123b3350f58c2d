"""Orders, refunds and claims, in any order, repeated and mixed up, against a small model."""

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

from core.services import ledger
from core.services.errors import AlreadyClaimed, Conflict, TooMuch
from core.storage.database import Database
from core.storage.tx import Tx
from tests.support.shop import Shop, item

STEP, CAP_POINTS, CAP_PRICE = 100, 7, 300

order_ids = st.sampled_from([f"o{n}" for n in range(6)])
amounts = st.integers(1, 12_00)


@dataclass
class Account:
    balance: int = 0
    carry: int = 0


@dataclass
class Bill:
    """An order in the model. `base`: the money that its points stand for."""

    total: int
    caps: int
    guest: int | None = None
    points: int = 0
    carry: int = 0
    base: int = 0
    refunded: int = 0
    refunds: list[int | None] = field(default_factory=list)


class Books:
    """What should come of it."""

    def __init__(self) -> None:
        self.accounts = {0: Account(), 1: Account()}
        self.bills: dict[str, Bill] = {}
        self.waiting: dict[str, list[int | None]] = {}

    def count(self, order_id: str, bill: Bill, guest: int | None) -> None:
        self.bills[order_id] = bill
        if guest is not None:
            self.give(bill, guest)
        for amount in self.waiting.pop(order_id, []):
            self.take(bill, amount)

    def give(self, bill: Bill, guest: int) -> None:
        left = bill.base = bill.total - bill.refunded
        account, bill.guest = self.accounts[guest], guest
        if left <= 0:
            return
        spent = (bill.total - bill.caps * CAP_PRICE) * left // bill.total
        steps = max(0, (account.carry + spent) // STEP) if spent else 0
        bill.points = bill.caps * CAP_POINTS * left // bill.total + steps
        bill.carry = spent - steps * STEP
        account.balance += bill.points
        account.carry += bill.carry

    def take(self, bill: Bill, amount: int | None) -> int:
        """The points that are taken back."""
        left = bill.total - bill.refunded
        amount = left if amount is None else min(amount, left)
        before = bill.refunded - (bill.total - bill.base)
        bill.refunded += amount
        if bill.guest is None or bill.base <= 0:
            return 0
        points, carry = (
            whole * (before + amount) // bill.base - whole * before // bill.base
            for whole in (bill.points, bill.carry)
        )
        self.accounts[bill.guest].balance -= points
        self.accounts[bill.guest].carry -= carry
        return points


class LedgerMachine(RuleBasedStateMachine):
    """Each run is one transaction that is never committed."""

    database: Database

    @initialize()
    def open(self) -> None:
        self.connection = self.database.writer_engine.connect()
        self.transaction = self.connection.begin()
        self.shop, self.books = Shop(Tx(self.connection)), Books()
        self.shop.product("cap", CAP_POINTS)
        self.guests = [self.shop.guest("Ana"), self.shop.guest("Bob")]
        self.visits = [self.shop.visit(guest).public_id for guest in self.guests]
        self.said: dict[str, tuple[dict, dict]] = {}
        self.refunds: dict[str, tuple] = {}

    def teardown(self) -> None:
        if hasattr(self, "connection"):
            self.transaction.rollback()
            self.connection.close()

    @rule(
        order_id=order_ids,
        spent=st.integers(0, 10_00),
        caps=st.integers(0, 2),
        guest=st.sampled_from([0, 1, None]),
    )
    def order(self, order_id: str, spent: int, caps: int, guest: int | None) -> None:
        if order_id in self.said:
            self.order_again(order_id)
            return
        bill = Bill(total=spent + caps * CAP_PRICE, caps=caps)
        said = {
            "total_minor": bill.total,
            "lines": (item("cap", str(caps), CAP_PRICE),) if caps else (),
            "visit": None if guest is None else self.visits[guest],
            "till": self.shop.door,
        }
        counted = self.shop.order(order_id, **said)
        self.books.count(order_id, bill, guest)
        self.said[order_id] = said, counted.response
        assert counted.response["points"] == bill.points
        balance = None if guest is None else self.books.accounts[guest].balance
        assert counted.response["balance"] == balance

    def order_again(self, order_id: str) -> None:
        said, response = self.said[order_id]
        again = self.shop.order(order_id, **said)
        assert again.duplicate
        assert again.response == response
        with pytest.raises(Conflict):
            self.shop.order(order_id, **{**said, "total_minor": said["total_minor"] + 1})

    @rule(order_id=order_ids, amount=st.none() | amounts)
    def refund(self, order_id: str, amount: int | None) -> None:
        refund_id = f"r{len(self.refunds)}"
        bill = self.books.bills.get(order_id)
        if bill is not None and amount is not None and amount > bill.total - bill.refunded:
            with pytest.raises(TooMuch):
                self.shop.refund(order_id, refund_id, amount)
            return
        refunded = self.shop.refund(order_id, refund_id, amount)
        self.refunds[refund_id] = order_id, amount
        assert refunded.parked == (bill is None)
        if bill is None:
            self.books.waiting.setdefault(order_id, []).append(amount)
        else:
            assert refunded.response["points"] == -self.books.take(bill, amount)

    @precondition(lambda self: self.refunds)
    @rule(data=st.data())
    def refund_again(self, data: st.DataObject) -> None:
        refund_id = data.draw(st.sampled_from(sorted(self.refunds)))
        order_id, amount = self.refunds[refund_id]
        assert self.shop.refund(order_id, refund_id, amount).duplicate
        with pytest.raises(Conflict):
            self.shop.refund(order_id, refund_id, (amount or 0) + 1)

    @precondition(lambda self: self.said)
    @rule(data=st.data(), guest=st.sampled_from([0, 1]))
    def claim(self, data: st.DataObject, guest: int) -> None:
        order_id = data.draw(st.sampled_from(sorted(self.said)))
        bill = self.books.bills[order_id]
        if bill.guest == 1 - guest:
            with pytest.raises(AlreadyClaimed):
                self.shop.claim(order_id, self.visits[guest])
            return
        claimed = self.shop.claim(order_id, self.visits[guest])
        assert claimed.duplicate == (bill.guest is not None)
        if bill.guest is None:
            self.books.give(bill, guest)
        assert claimed.response["points"] == bill.points

    @invariant()
    def balances_are_the_models_and_the_sums_of_their_entries(self) -> None:
        if not hasattr(self, "shop"):
            return
        for guest, account in self.books.accounts.items():
            assert self.shop.balance(self.guests[guest]) == account.balance
        assert ledger.prove(self.shop.tx) == []


def test_the_ledger_is_what_the_model_says(database_url):
    database = Database(database_url)
    examples = 120 if database.is_sqlite else 10
    machine = type("Machine", (LedgerMachine,), {"database": database})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    database.close()
