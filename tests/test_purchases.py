"""Purchases by hand at the till: previewed, counted once, undone; and orders without a guest."""

import asyncio
from contextlib import contextmanager
from decimal import Decimal

import pytest
import sqlalchemy as sa

from core.contract import OrderTakenBack
from core.domain.earning import Item
from core.services import ledger, purchases, unclaimed
from core.services.errors import (
    AlreadyClaimed,
    Conflict,
    Rejected,
    TooLate,
    UnknownOrder,
    UnknownVisit,
)
from core.services.purchases import Basket
from core.storage import tables
from core.storage.database import Database
from tests.support.counter import Counter
from tests.support.shop import MINUTE, NOW


class Bar(Counter):
    """With a cake for 420.00 that is worth 60 points and has no number in any till system, and an
    espresso for 180.00 that is worth 20; Cica serves."""

    def __init__(self, tx):
        super().__init__(tx)
        self.cake_sold = self.sold("Cake", 420_00, 60)
        self.espresso = self.sold("Espresso", 180_00, 20, sku="esp")
        self.cica = self.seat()

    def sold(self, name, price_minor, points, **more):
        values = {"names": {"en": name}, "price_minor": price_minor, "points": points, **more}
        query = sa.insert(tables.products).values(programme_id=self.cafe.programme_id, **values)
        return self.tx.scalar(query.returning(tables.products.c.id))

    def preview(self, visit, quantities, amount_minor=0, minute=0):
        basket = Basket(quantities, amount_minor)
        return purchases.preview(self.tx, self.cica, visit, basket, NOW + minute * MINUTE)

    def add(self, visit, quantities, amount_minor=0, *, seen, key="k1", minute=0):
        basket, now = Basket(quantities, amount_minor), NOW + minute * MINUTE
        return purchases.add(self.tx, self.cica, visit, basket, seen, key, now)

    def undo(self, key="k1", minute=0):
        return purchases.undo(self.tx, self.cica, key, NOW + minute * MINUTE)

    def deeds(self):
        e = tables.event_log.c
        query = sa.select(e.kind, e.staff_id, e.guest_id, e.data).where(e.staff_id.is_not(None))
        return [tuple(row) for row in self.tx.execute(query.order_by(e.id))]


@pytest.fixture
def bar(tx):
    bar = Bar(tx)
    yield bar
    assert ledger.prove(bar.tx) == []


@pytest.fixture
def ana(bar):
    return bar.guest()


@pytest.fixture
def visit(bar, ana):
    return bar.visit(ana).public_id


@contextmanager
def rejected(code):
    with pytest.raises(Rejected) as caught:
        yield
    assert caught.value.code == code


# -- what it would be, and what it is --------------------------------------------------------------


def test_products_give_their_points_and_money_its_own(bar, ana, visit):
    would = bar.preview(visit, {bar.cake_sold: 2, bar.espresso: 1}, 100_50)
    assert (would.total_minor, would.points, would.balance) == (1120_50, 240, 240)
    assert bar.balance(ana) == 0, "nothing comes of a preview"
    counted = bar.add(visit, {bar.cake_sold: 2, bar.espresso: 1}, 100_50, seen=1120_50)
    assert (counted.response["points"], counted.response["balance"]) == (240, 240)
    assert bar.balance(ana) == 240


def test_a_product_without_points_of_its_own_earns_by_its_price(bar, ana, visit):
    tea = bar.sold("Tea", 180_50, None)
    bar.add(visit, {tea: 2}, seen=361_00)
    assert bar.balance(ana) == 361


def test_an_amount_alone_is_a_purchase_too(bar, ana, visit):
    bar.add(visit, {}, 99_90, seen=99_90)
    assert bar.balance(ana) == 99


def test_what_is_switched_off_or_has_no_price_is_not_on_the_list(bar, visit):
    bar.sold("Unpriced", None, 5)
    off = bar.sold("Off", 10_00, 5, active=False)
    assert [sold.names["en"] for sold in purchases.menu(bar.tx, bar.cica)] == ["Cake", "Espresso"]
    with rejected("product_gone"):
        bar.preview(visit, {off: 1})


def test_another_programmes_products_are_not_sold_here(bar, visit):
    elsewhere = Counter(bar.tx, "zrno")
    values = {"programme_id": elsewhere.cafe.programme_id, "names": {"en": "Tea"}, "points": 1}
    query = sa.insert(tables.products).values(**values, price_minor=100)
    tea = bar.tx.scalar(query.returning(tables.products.c.id))
    with rejected("product_gone"):
        bar.add(visit, {tea: 1}, seen=100)


@pytest.mark.parametrize(
    ("quantity", "amount", "code"),
    [
        (0, 0, "quantity"),
        (100, 0, "quantity"),
        (None, 0, "purchase_empty"),
        (None, 10**13, "amount"),
    ],
)
def test_what_can_not_be_meant_is_refused(bar, visit, quantity, amount, code):
    quantities = {} if quantity is None else {bar.espresso: quantity}
    with rejected(code):
        bar.preview(visit, quantities, amount)


def test_a_total_that_nobody_saw_is_not_counted(bar, ana, visit):
    bar.tx.execute(sa.update(tables.products).values(price_minor=500_00))
    with rejected("price_changed"):
        bar.add(visit, {bar.cake_sold: 1}, seen=420_00)
    assert bar.balance(ana) == 0


# -- once ------------------------------------------------------------------------------------------


def test_the_same_key_counts_once_however_late(bar, ana, visit):
    first = bar.add(visit, {bar.cake_sold: 1}, seen=420_00, minute=14)
    again = bar.add(visit, {bar.cake_sold: 1}, seen=420_00, minute=30)
    assert (again.response, again.duplicate) == (first.response, True)
    assert bar.balance(ana) == 60
    assert [kind for kind, *_ in bar.deeds()] == ["purchase_added"]


def test_the_same_key_with_another_basket_is_refused(bar, ana, visit):
    bar.add(visit, {bar.cake_sold: 1}, seen=420_00)
    with pytest.raises(Conflict):
        bar.add(visit, {bar.cake_sold: 2}, seen=840_00)
    assert bar.balance(ana) == 60


def test_a_visit_takes_any_number_of_purchases_for_fifteen_minutes(bar, ana, visit):
    bar.add(visit, {bar.cake_sold: 1}, seen=420_00)
    bar.add(visit, {bar.cake_sold: 1}, seen=420_00, key="k2", minute=15)
    for minute in (15.1, 60):
        with pytest.raises(UnknownVisit):
            bar.add(visit, {bar.cake_sold: 1}, seen=420_00, key="k3", minute=minute)
        with pytest.raises(UnknownVisit):
            bar.preview(visit, {bar.cake_sold: 1}, minute=minute)
    assert bar.balance(ana) == 120


def test_it_is_known_who_entered_it(bar, ana, visit):
    bar.add(visit, {bar.cake_sold: 1}, seen=420_00)
    o = tables.orders.c
    assert tuple(bar.tx.execute(sa.select(o.source, o.till_id, o.staff_id)).one()) == (
        "till",
        bar.bar,
        bar.cica.member.id,
    )
    facts = {"order": "k1", "total_minor": 420_00, "currency": "RSD", "points": 60}
    assert bar.deeds() == [("purchase_added", bar.cica.member.id, ana, facts)]


# -- undone ----------------------------------------------------------------------------------------


def test_within_two_minutes_it_is_undone_once(bar, ana, visit):
    bar.add(visit, {bar.cake_sold: 1}, 30_50, seen=450_50)
    assert bar.undo(minute=2) == 0
    assert bar.undo(minute=2) == 0
    assert bar.undo(minute=10) == 0
    assert bar.balance(ana) == 0
    assert [kind for kind, *_ in bar.deeds()] == ["purchase_added", "purchase_undone"]
    assert [event.undone for event in bar.tx.events if isinstance(event, OrderTakenBack)] == [True]


def test_later_it_stays(bar, ana, visit):
    bar.add(visit, {bar.cake_sold: 1}, seen=420_00)
    with pytest.raises(TooLate):
        bar.undo(minute=2.1)
    assert bar.balance(ana) == 60


def test_nothing_else_is_undone_here(bar, visit):
    bar.order("o1", visit=visit)
    for order_id in ("o1", "nothing"):
        with pytest.raises(UnknownOrder):
            bar.undo(order_id)


# -- orders without a guest ------------------------------------------------------------------------


def test_orders_that_nobody_claimed_are_listed_for_two_days(bar, visit):
    bar.order("old", minute=-48 * 60 - 1)
    bar.order("yesterday", 300_00, minute=-24 * 60)
    bar.order("gone", minute=-20)
    bar.refund("gone", minute=-19)
    bar.order("part", 250_00, minute=-10)
    bar.refund("part", "r2", 50_00, minute=-9)
    bar.order("hers", visit=visit)
    Counter(bar.tx, "zrno").order("elsewhere", minute=-10)
    found = unclaimed.recent(bar.tx, bar.cica, NOW)
    assert [(one.order_id, one.total_minor) for one in found] == [
        ("part", 200_00),
        ("yesterday", 300_00),
    ]


def test_what_was_bought_helps_to_find_it(bar):
    lines = (Item("Kapućino", Decimal(2), 260_00), Item("Kolač", Decimal(1), 90_00))
    bar.order("o1", 610_00, lines=lines, minute=-5)
    (found,) = unclaimed.recent(bar.tx, bar.cica, NOW)
    assert found.lines == [("Kapućino", "2"), ("Kolač", "1")]


def test_an_order_is_given_to_whose_it_is(bar, ana):
    bar.order("o1", 300_00, minute=-60)
    visit = bar.visit(ana).public_id
    counted = unclaimed.give(bar.tx, bar.cica, "api", "o1", visit, NOW)
    assert counted.response["points"] == 300
    assert unclaimed.give(bar.tx, bar.cica, "api", "o1", visit, NOW).duplicate
    assert (bar.balance(ana), bar.owner("o1")) == (300, ana)
    assert unclaimed.recent(bar.tx, bar.cica, NOW) == []
    facts = {"order": "o1", "points": 300}
    assert bar.deeds() == [("order_given", bar.cica.member.id, ana, facts)]
    assert bar.tx.scalar(sa.select(tables.orders.c.staff_id)) == bar.cica.member.id


def test_not_to_another_guest_and_not_in_a_visit_that_is_over(bar, ana):
    bar.order("o1", minute=-60)
    visit, other = bar.visit(ana).public_id, bar.visit(bar.guest("Bora"), minute=1).public_id
    with pytest.raises(UnknownVisit):
        unclaimed.give(bar.tx, bar.cica, "api", "o1", visit, NOW + 16 * MINUTE)
    unclaimed.give(bar.tx, bar.cica, "api", "o1", visit, NOW)
    with pytest.raises(AlreadyClaimed):
        unclaimed.give(bar.tx, bar.cica, "api", "o1", other, NOW + MINUTE)


# -- at once ---------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_taps_that_arrive_together_count_once(database_url):
    database = Database(database_url)
    try:
        bar = await database.write(Bar)
        ana = await database.write(_at(bar, lambda at: at.guest()))
        visit = await database.write(_at(bar, lambda at: at.visit(ana).public_id))
        tap = _at(bar, lambda at: at.add(visit, {at.cake_sold: 1}, seen=420_00))
        counted = await asyncio.gather(*(database.write(tap) for _ in range(8)))
        assert sum(not one.duplicate for one in counted) == 1
        undo = _at(bar, lambda at: at.undo())
        assert await asyncio.gather(*(database.write(undo) for _ in range(8))) == [0] * 8
        assert await database.read(_at(bar, lambda at: at.balance(ana))) == 0
    finally:
        database.close()


def _at(bar, do):
    return lambda tx: do(bar.within(tx))
