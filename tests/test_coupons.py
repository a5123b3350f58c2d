"""A confirmed reward's discount: one coupon of the till system's, or the cashier does without."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from core.contract import Coupon
from core.services import coupons, returns, tasks
from core.services.coupons import State
from core.storage.tables import event_log
from core.storage.tables import tasks as task_rows
from tests.support.counter import Counter
from tests.support.shop import NOW

SECOND = timedelta(seconds=1)
UNTIL = NOW + 3 * SECOND


class Till(Counter):
    """Confirms at NOW; `seconds` are after that."""

    def confirmed(self, *rewards: int) -> str:
        picked = self.pick(self.collector(), *rewards)
        self.confirm(picked.id, key=picked.id)
        return picked.id

    def state(self, redemption: str, seconds: float = 0) -> State | None:
        return coupons.state(self.tx, redemption, NOW + seconds * SECOND)

    def tasks(self) -> list[tasks.Task]:
        return list(tasks.claim(self.tx, 9, NOW))

    def begin(self, task: tasks.Task, seconds: float = 0) -> coupons.Question | None:
        return coupons.begin(self.tx, task, NOW + seconds * SECOND)

    def given(self, task: tasks.Task, seconds: float, code: str = "K7") -> None:
        coupons.given(self.tx, task, Coupon(code), NOW + seconds * SECOND)

    def not_given(self, task: tasks.Task, seconds: float, why: coupons.Why | None) -> None:
        coupons.not_given(self.tx, task, why, NOW + seconds * SECOND)

    def told(self) -> list[tuple[str, str | None]]:
        e = event_log.c
        found = self.tx.execute(
            sa.select(e.kind, e.data).where(e.kind.startswith("coupon_")).order_by(e.id)
        )
        return [(row.kind, row.data.get("why")) for row in found]


@pytest.fixture
def till(tx):
    return Till(tx)


@pytest.fixture
def off(till) -> int:
    return till.reward("150 off", 100, kind="amount", value=150_00)


@pytest.fixture
def tenth(till) -> int:
    return till.reward("A tenth off", 100, kind="percentage", value=12_50)


def test_a_confirmed_discount_is_asked_for_and_its_code_comes_to_the_cashier(till, off):
    redemption = till.confirmed(off)
    assert till.state(redemption) == State("asking", None, UNTIL)
    [task] = till.tasks()
    question = till.begin(task)
    assert (question.discount.redemption_id, question.discount.name) == (redemption, "150 off")
    assert (question.discount.amount, question.discount.percentage) == (Decimal("150.00"), None)
    till.given(task, 1)
    assert till.state(redemption, 1) == State("ready", "K7", UNTIL)
    assert till.state(redemption, 9999) == State("ready", "K7", UNTIL)
    assert till.told() == [("coupon_given", None)]
    assert till.tx.execute(sa.select(task_rows)).all() == []


def test_a_percentage_is_asked_for_as_one(till, tenth):
    till.confirmed(tenth)
    discount = till.begin(*till.tasks()).discount
    assert (discount.amount, discount.percentage) == (None, Decimal("12.5"))


def test_amounts_come_off_together_and_products_are_handed_over(till, off):
    till.confirmed(off, off, till.cake)
    discount = till.begin(*till.tasks()).discount
    assert (discount.name, discount.amount) == ("2 × 150 off", Decimal("300.00"))


def test_products_alone_need_no_coupon(till):
    assert till.state(till.confirmed(till.cake)) is None
    assert till.tasks() == []


def test_what_one_coupon_cant_say_is_taken_off_by_hand(till, off, tenth):
    """An order takes one coupon."""
    for picked in [(off, tenth), (tenth, tenth)]:
        redemption = till.confirmed(*picked)
        assert till.state(redemption).status == "by_hand"
    assert till.tasks() == []


def test_nothing_is_asked_for_before_it_is_confirmed(till, off):
    picked = till.pick(till.collector(), off)
    assert till.state(picked.id) is None
    assert till.tasks() == []


def test_a_confirmation_that_is_repeated_asks_once(till, off):
    picked = till.pick(till.collector(), off)
    for _ in range(3):
        till.confirm(picked.id)
    [task] = till.tasks()
    assert till.begin(task)
    till.given(task, 1)
    till.confirm(picked.id)
    assert till.tasks() == []
    assert till.state(picked.id).status == "ready"


def test_after_three_seconds_it_is_by_hand_whoever_has_looked(till, off):
    redemption = till.confirmed(off)
    assert till.state(redemption, 2.99).status == "asking"
    assert till.state(redemption, 3) == State("by_hand", None, UNTIL)


def test_an_answer_that_comes_too_late_is_shown_to_nobody(till, off):
    redemption = till.confirmed(off)
    [task] = till.tasks()
    till.begin(task)
    till.given(task, 2.5)
    assert till.state(redemption, 2.5) == State("by_hand", None, UNTIL)
    assert till.told() == [("coupon_missing", "late"), ("coupon_late", None)]


def test_once_the_cashier_was_told_to_do_without_no_coupon_comes_back(till, off):
    redemption = till.confirmed(off)
    [task] = till.tasks()
    till.begin(task)
    till.not_given(task, 1, "failed")
    till.given(task, 2)
    assert till.state(redemption, 2) == State("by_hand", None, UNTIL)
    assert till.told() == [("coupon_missing", "failed"), ("coupon_late", None)]


def test_a_question_that_broke_off_is_not_asked_again(till, off):
    """The till system may have made a coupon of it."""
    redemption = till.confirmed(off)
    [task] = till.tasks()
    assert till.begin(task)
    assert till.begin(task, 1) is None
    assert till.state(redemption, 1).status == "by_hand"
    assert till.told() == [("coupon_missing", "interrupted")]


def test_a_question_that_nobody_got_to_in_time_is_not_asked(till, off):
    redemption = till.confirmed(off)
    [task] = till.tasks()
    assert till.begin(task, 2.5) is None
    assert till.state(redemption, 2.5).status == "by_hand"
    assert till.told() == [("coupon_missing", "late")]
    assert till.tx.execute(sa.select(task_rows)).all() == []


def test_a_till_system_without_coupons_is_nothing_for_the_log(till, off):
    redemption = till.confirmed(off)
    [task] = till.tasks()
    till.begin(task)
    till.not_given(task, 0.1, None)
    assert till.state(redemption, 0.1).status == "by_hand"
    assert till.told() == []


def test_an_undone_redemption_takes_its_coupon_along(till, off):
    redemption = till.confirmed(off)
    [task] = till.tasks()
    till.begin(task)
    till.given(task, 1)
    returns.undo(till.tx, till=till.till, public_id=redemption, now=NOW + 60 * SECOND)
    assert till.state(redemption, 60) == State("void", "K7", UNTIL)
    assert till.told() == [("coupon_given", None), ("coupon_void", None)]


def test_undone_while_it_is_asked_for_no_code_is_shown(till, off):
    redemption = till.confirmed(off)
    [task] = till.tasks()
    till.begin(task)
    returns.undo(till.tx, till=till.till, public_id=redemption, now=NOW + SECOND)
    till.given(task, 1.5)
    assert till.state(redemption, 2) == State("void", None, UNTIL)
    assert till.told() == [("coupon_late", None)]
