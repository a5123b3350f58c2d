"""Bonus rules on real orders, on both databases: what counts, limits, budgets, claims, refunds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from core.services import awards, cafes, claims, ledger, linking
from core.storage import tables
from core.storage.database import Database
from core.storage.tx import Tx
from tests.support.shop import MINUTE, NOW, Shop, item

DAY = 24 * 60
"""Minutes; NOW is a Sunday, 13:00 in Belgrade."""
ALL_DAY = {"weekdays": list(range(7)), "from": 0, "to": 0}


class Generous(Shop):
    """With rules for bonuses; every dinar gives a point."""

    def rule(self, kind: str, names: dict[str, str] | None = None, **given: Any) -> int:
        """`given`: the rule's bounds, and its kind's own params."""
        columns = {name: given.pop(name) for name in list(given) if name in tables.bonus_rules.c}
        values = {"programme_id": self.cafe.programme_id, "created_at": NOW, "names": names or {}}
        rule_id = self.tx.scalar(
            sa.insert(tables.bonus_rules)
            .values(**values, **columns, kind=kind, params=given)
            .returning(tables.bonus_rules.c.id)
        )
        self.cafe = cafes.row(self.tx, self.cafe.id)
        return rule_id

    def buys(self, guest: int, total: int = 10_00, minute: float = 0, **more: Any) -> int:
        """The points of an order in a visit of its own."""
        visit = self.visit(guest, minute).public_id
        number = self.tx.scalar(sa.select(sa.func.count()).select_from(tables.orders))
        return self.order(
            more.pop("order_id", f"order {number}"), total, minute=minute, visit=visit, **more
        ).response["points"]

    def spent(self, rule_id: int) -> int:
        r = tables.bonus_rules.c
        return self.tx.scalar(sa.select(r.spent_points).where(r.id == rule_id))

    def uses(self, rule_id: int) -> list[int]:
        u = tables.bonus_uses.c
        query = sa.select(u.points).where(u.rule_id == rule_id).order_by(u.id)
        return list(self.tx.execute(query).scalars())


@pytest.fixture
def shop(tx: Tx) -> Generous:
    return Generous(tx)


# -- which rules count -----------------------------------------------------------------------------


def test_the_first_order_is_welcomed_and_the_guest_is_told_why(shop: Generous) -> None:
    shop.rule("welcome", {"en": "Hello"}, points=50)
    ana = shop.guest()
    visit = shop.visit(ana).public_id
    counted = shop.order("1", 10_00, visit=visit)
    assert counted.response == {
        "order_id": "1",
        "points": 60,
        "balance": 60,
        "because": [{"rule": "spend", "points": 10}, {"rule": "bonus", "points": 50}],
    }
    (_, facts), *_ = shop.notices(ana)
    told = {"rule": "bonus", "points": 50, "kind": "welcome", "names": {"en": "Hello"}}
    assert facts["because"][-1] == told
    [entry] = ledger.last_entries(shop.tx, ana, shop.cafe.programme_id)
    assert entry.because[-1] == told
    assert shop.order("1", 10_00, visit=visit).duplicate
    assert shop.buys(ana) == 10
    assert ledger.prove(shop.tx) == []


def test_a_rule_counts_in_its_window_while_it_is_on_and_in_its_programme(shop: Generous) -> None:
    r = tables.bonus_rules
    ana, on = shop.guest(), {**ALL_DAY, "factor": 200}
    other = shop.rule("happy_hours", **on)
    shop.tx.execute(sa.update(r).values(programme_id=Shop(shop.tx, "zrno").cafe.programme_id))
    assert shop.buys(ana) == 10, "another programme's"
    rule = shop.rule("happy_hours", **on, starts_at=NOW + MINUTE, ends_at=NOW + 2 * MINUTE)
    found = [shop.buys(ana, minute=minute) for minute in (0.9, 1, 1.9, 2)]
    assert found == [10, 20, 20, 10]
    shop.tx.execute(sa.update(r).where(r.c.id == rule).values(active=False))
    assert shop.buys(ana, minute=1.5) == 10
    assert shop.spent(rule) == 20
    assert shop.uses(other) == []


def test_a_programme_without_rules_asks_for_none(shop: Generous, monkeypatch) -> None:
    monkeypatch.setattr(awards.bonuses, "of_order", None)
    assert shop.cafe.bonuses in (False, 0)
    assert shop.buys(shop.guest()) == 10


def test_every_third_visit_where_a_split_bill_is_one(shop: Generous) -> None:
    shop.rule("nth_visit", points=30, every=3)
    ana = shop.guest()
    assert [shop.buys(ana), shop.buys(ana)] == [10, 10]
    visit = shop.visit(ana).public_id
    parts = [shop.order(f"part {n}", 10_00, visit=visit).response["points"] for n in range(4)]
    assert parts == [40, 10, 10, 10]
    assert [shop.buys(ana) for _ in range(3)] == [10, 10, 40]


def test_the_first_of_a_day_by_the_cafe_s_clock(shop: Generous) -> None:
    """NOW is 13:00 there, so its midnight is 23:00 in UTC."""
    shop.rule("first_of_day", points=5)
    ana = shop.guest()
    minutes = (0, 60, 10 * 60 + 59, 11 * 60, 11 * 60 + 1)
    assert [shop.buys(ana, minute=minute) for minute in minutes] == [15, 10, 10, 15, 10]


def test_a_birthday_once_a_year_however_often_it_is_changed(shop: Generous) -> None:
    shop.rule("birthday", points=100, days=1)
    ana, g = shop.guest(), tables.guests
    assert shop.buys(ana) == 10
    for days, birthday, points in ((0, "--11-23", 110), (1, "--11-24", 10), (2, "--11-25", 10)):
        shop.tx.execute(sa.update(g).where(g.c.id == ana).values(birthday=birthday))
        assert shop.buys(ana, minute=days * DAY) == points
    assert shop.buys(ana, minute=368 * DAY) == 110


def test_products_multiply_what_they_earned(shop: Generous) -> None:
    shop.product("cap", 20)
    shop.rule("product_multiplier", factor=300, skus=["cap", "cake"])
    lines = (item("cap", "2", 100_00), item("cake", "1", 50_00), item("tea", "1", 30_00))
    assert shop.buys(shop.guest(), 280_00, lines=lines) == (40 + 80) + 2 * (40 + 50)


def test_late_orders_are_given_what_held_when_they_were_paid(shop: Generous) -> None:
    shop.rule("happy_hours", factor=200, weekdays=[6], **{"from": 13 * 60, "to": 14 * 60})
    ana = shop.guest()
    shop.order("paid in time", 10_00, minute=180, paid=30, source="pos")
    shop.order("came in time", 10_00, minute=30, source="pos")
    shop.order("paid too late", 10_00, minute=30, paid=90, source="pos")
    points = {}
    for name in ("paid in time", "came in time", "paid too late"):
        visit = shop.visit(ana, 200).public_id
        points[name] = claimed(shop, name, visit)
    assert points == {"paid in time": 20, "came in time": 20, "paid too late": 10}


def claimed(shop: Generous, order_id: str, visit: str, minute: float = 200) -> int:
    return claims.claim_order(
        shop.tx,
        cafe=shop.cafe,
        source="pos",
        order_id=order_id,
        visit=visit,
        now=NOW + minute * MINUTE,
    ).response["points"]


@pytest.mark.parametrize("year", [1, 1970, 9999])
def test_a_till_whose_clock_is_wrong_breaks_nothing(shop: Generous, year: int) -> None:
    shop.rule("first_of_day", points=5)
    shop.rule("birthday", points=5, days=3)
    shop.rule("happy_hours", factor=200, **ALL_DAY)
    paid_at = datetime(year, 12, 31, 23, 59, tzinfo=NOW.tzinfo)
    ana = shop.guest(phone="+381601112223", phone_proven=True)
    order = {"phone": "+381601112223", "paid_at": paid_at, "source": "pos"}
    assert shop.order("1", 10_00, **order).response["points"] >= 20
    assert shop.owner("1") == ana


# -- limits and budgets ----------------------------------------------------------------------------


def test_a_guest_has_it_as_often_as_it_may_be_had(shop: Generous) -> None:
    rule = shop.rule("spend_over", points=7, over_minor=1, per_guest=2)
    ana, ivan = shop.guest("Ana"), shop.guest("Ivan")
    assert [shop.buys(ana) for _ in range(3)] == [17, 17, 10]
    assert shop.buys(ivan) == 17
    assert (shop.uses(rule), shop.spent(rule)) == ([7, 7, 7], 21)


def test_guests_who_become_one_have_had_what_both_had(shop: Generous) -> None:
    shop.rule("spend_over", points=7, over_minor=1, per_guest=2)
    ana, double = shop.guest("Ana"), shop.guest("Ana")
    assert shop.buys(ana) + shop.buys(double) == 34
    linking.merge(shop.tx, ana, double, NOW)
    assert shop.buys(ana) == 10


def test_a_budget_is_given_in_whole_bonuses_and_then_the_next_best(shop: Generous) -> None:
    best = shop.rule("happy_hours", factor=300, budget_points=45, **ALL_DAY)
    other = shop.rule("happy_hours", factor=150, **ALL_DAY)
    ana = shop.guest()
    assert [shop.buys(ana) for _ in range(4)] == [30, 30, 15, 15]
    assert (shop.spent(best), shop.spent(other)) == (40, 10)
    assert shop.buys(ana, 2_00) == 6, "what is left is enough for a small one"


# -- refunds ---------------------------------------------------------------------------------------


def test_a_refund_takes_a_bonus_back_in_proportion(shop: Generous) -> None:
    rule = shop.rule("welcome", points=50, budget_points=100, per_guest=1)
    ana = shop.guest()
    shop.buys(ana, 100_00, order_id="1")
    assert shop.balance(ana) == 150
    assert shop.refund("1", "half", 50_00).response["points"] == -75
    assert (shop.uses(rule), shop.spent(rule)) == ([50], 50), "still used"
    assert shop.buys(ana) == 10


def test_an_order_that_was_refunded_whole_was_never_there(shop: Generous) -> None:
    rule = shop.rule("welcome", points=50, budget_points=50, per_guest=1)
    ana = shop.guest()
    shop.buys(ana, 100_00, order_id="1")
    assert shop.buys(ana) == 10
    shop.refund("1", "some", 30_00)
    assert shop.refund("1", "rest").response["balance"] == 10
    assert (shop.uses(rule), shop.spent(rule)) == ([], 0)
    shop.refund("1", "rest")
    assert shop.spent(rule) == 0
    shop.refund("order 1", "other")
    assert shop.buys(ana) == 60, "and the next one is the first"
    assert ledger.prove(shop.tx) == []


def test_a_refund_that_was_here_before_its_order_leaves_no_use(shop: Generous) -> None:
    rule = shop.rule("welcome", points=50)
    ana = shop.guest()
    shop.refund("1")
    shop.buys(ana, 100_00, order_id="1")
    assert (shop.balance(ana), shop.uses(rule), shop.spent(rule)) == (0, [], 0)


def test_of_what_was_refunded_before_its_guest_was_found_no_bonus_is_given(shop: Generous) -> None:
    shop.rule("spend_over", points=50, over_minor=100_00)
    shop.order("1", 100_00, source="pos")
    shop.refund("1", "most", 60_00, source="pos")
    ana = shop.guest()
    assert claimed(shop, "1", shop.visit(ana, 200).public_id) == 40 + 20
    shop.refund("1", "rest", source="pos")
    assert shop.balance(ana) == 0


# -- at once ---------------------------------------------------------------------------------------


class World:
    """The shop in a database of its own, where each call is a transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.shop = database.write_now(Generous)

    def within(self, what: Callable[[Generous], Any]) -> Callable[[Tx], Any]:
        return lambda tx: what(self.shop.within(tx))

    def rule(self, *args: Any, **given: Any) -> int:
        def add(shop: Generous) -> tuple[int, Any]:
            return shop.rule(*args, **given), shop.cafe

        rule_id, self.shop.cafe = self.database.write_now(self.within(add))
        return rule_id

    def visits(self, guests: int) -> list[str]:
        def open_(shop: Generous) -> list[str]:
            return [shop.visit(shop.guest(f"Guest {n}")).public_id for n in range(guests)]

        return self.database.write_now(self.within(open_))

    async def orders(self, visits: list[str]) -> list[int]:
        """The points of each, all at once."""
        found = await asyncio.gather(
            *(
                self.database.write(
                    lambda tx, n=n, visit=visit: self.shop.within(tx).order(
                        f"{n}", 10_00, visit=visit
                    )
                )
                for n, visit in enumerate(visits)
            )
        )
        assert await self.database.read(ledger.prove) == []
        return sorted(counted.response["points"] for counted in found)


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    database = Database(database_url)
    yield World(database)
    database.close()


@pytest.mark.anyio
async def test_32_orders_at_once_never_overspend_a_budget(world: World) -> None:
    rule = world.rule("welcome", points=50, budget_points=500)
    doubled = world.rule("happy_hours", factor=200, budget_points=65, **ALL_DAY)
    found = await world.orders(world.visits(32))
    assert sum(found) == 32 * 10 + 500 + 60
    for one, spent in ((rule, 500), (doubled, 60)):
        assert world.database.read_now(world.within(lambda s, one=one: s.spent(one))) == spent


@pytest.mark.anyio
async def test_32_orders_of_one_guest_at_once_keep_their_limits(world: World) -> None:
    world.rule("welcome", points=1000)
    rule = world.rule("spend_over", points=100, over_minor=1, per_guest=3)
    found = await world.orders(world.visits(1) * 32)
    assert sum(found) == 32 * 10 + 1000 + 300
    assert world.database.read_now(world.within(lambda s: s.uses(rule))) == [100] * 3


@pytest.mark.anyio
async def test_orders_and_their_refunds_at_once_leave_a_budget_as_it_was(world: World) -> None:
    rule = world.rule("welcome", points=50, budget_points=10_000)
    await world.orders(world.visits(32))
    await asyncio.gather(
        *(
            world.database.write(lambda tx, n=n: world.shop.within(tx).refund(f"{n}", f"r{n}"))
            for n in range(32)
        )
    )
    assert world.database.read_now(world.within(lambda s: (s.spent(rule), s.uses(rule)))) == (0, [])
