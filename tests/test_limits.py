"""What an employee may do at tills: points by hand in a day, look-ups within an hour."""

import asyncio

import pytest
import sqlalchemy as sa

from core.domain.roles import Member
from core.services import limits, lookup, purchases, staff, unclaimed
from core.services.errors import Forbidden, LimitReached, Missing, Rejected
from core.services.purchases import Basket
from core.services.staff import Limits
from core.storage import tables
from core.storage.database import Database
from core.storage.tx import Tx
from tests.support.counter import Counter
from tests.support.shop import MINUTE, NOW

MIDNIGHT = 11 * 60
"""So many minutes after NOW a day is over in Belgrade."""


class Bar(Counter):
    """Cica serves; money earns a point for each dinar."""

    def __init__(self, tx: Tx, slug: str = "bife") -> None:
        super().__init__(tx, slug)
        self.cica = self.seat(f"cica of {slug}")
        self.employ(self.cica.member.id)

    def employ(self, who: int) -> None:
        row = {"staff_id": who, "cafe_id": self.cafe.id}
        self.tx.execute(sa.insert(tables.staff_cafes).values(**row))

    def hold_to(self, points=None, look_ups=None):
        """The owner sets Cica's limits."""
        limits = Limits(points, look_ups)
        staff.limit(self.tx, self.owner(), self.cica.member.id, limits, NOW)

    def owner(self):
        return Member(0, "olga", "Olga", "owner", frozenset())

    def buy(self, guest, dinars, key="k1", minute=0.0):
        visit = self.visit(guest, minute=minute).public_id
        basket, now = Basket({}, dinars * 100), NOW + minute * MINUTE
        return purchases.add(self.tx, self.cica, visit, basket, dinars * 100, key, now)

    def find(self, minute=0.0):
        return lookup.find(self.tx, self.cica, "nobody", NOW + minute * MINUTE)


@pytest.fixture
def bar(tx):
    bar = Bar(tx)
    bar.tx.execute(sa.insert(tables.staff).values(**OLGA))
    return bar


OLGA = {
    "id": 0,
    "login": "olga",
    "name": "Olga",
    "role": "owner",
    "password_hash": "",
    "created_at": NOW,
}


@pytest.fixture
def ana(bar):
    return bar.guest()


# -- points by hand --------------------------------------------------------------------------------


def test_points_by_hand_end_at_the_limit(bar, ana):
    bar.hold_to(points=500)
    bar.buy(ana, 300)
    bar.buy(ana, 200, "k2")
    with pytest.raises(LimitReached) as refused:
        bar.buy(ana, 1, "k3")
    assert (refused.value.limit, refused.value.left) == (500, 0)


def test_what_is_too_much_is_said_before_it_is_confirmed(bar, ana):
    bar.hold_to(points=500)
    visit = bar.visit(ana).public_id
    purchases.preview(bar.tx, bar.cica, visit, Basket({}, 500_00), NOW)
    with pytest.raises(LimitReached) as refused:
        purchases.preview(bar.tx, bar.cica, visit, Basket({}, 501_00), NOW)
    assert (refused.value.limit, refused.value.left) == (500, 500)


def test_without_a_limit_there_is_none_and_with_0_there_is_nothing(bar, ana):
    bar.buy(ana, 100_000)
    bar.hold_to(points=0)
    with pytest.raises(LimitReached):
        bar.buy(ana, 1, "k2")


def test_the_same_key_again_is_no_more_points(bar, ana):
    bar.hold_to(points=500)
    visit, basket = bar.visit(ana).public_id, Basket({}, 500_00)
    first, again = (
        purchases.add(bar.tx, bar.cica, visit, basket, 500_00, "k1", NOW) for _ in range(2)
    )
    assert (first.duplicate, again.duplicate) == (False, True)


def test_what_was_undone_may_be_given_again(bar, ana):
    bar.hold_to(points=500)
    bar.buy(ana, 500)
    purchases.undo(bar.tx, bar.cica, "k1", NOW + MINUTE)
    bar.buy(ana, 500, "k2", minute=2)


def test_orders_given_to_a_guest_count_too_whenever_they_were_paid(bar, ana):
    bar.hold_to(points=500)
    bar.order("o1", 400_00, minute=-24 * 60)
    bar.order("o2", 200_00, minute=-10)
    visit = bar.visit(ana).public_id
    unclaimed.give(bar.tx, bar.cica, "api", "o1", visit, NOW)
    with pytest.raises(LimitReached), bar.tx.alone():
        unclaimed.give(bar.tx, bar.cica, "api", "o2", visit, NOW)
    assert bar.balance(ana) == 400
    bar.buy(ana, 100)


def test_a_day_is_the_cafe_s_own(bar, ana):
    bar.hold_to(points=500)
    bar.buy(ana, 500, minute=MIDNIGHT - 1)
    with pytest.raises(LimitReached), bar.tx.alone():
        bar.buy(ana, 1, "k2", minute=MIDNIGHT - 0.5)
    bar.buy(ana, 500, "k3", minute=MIDNIGHT)


def test_each_employee_has_their_own(bar, ana):
    bar.hold_to(points=500)
    bar.buy(ana, 500)
    bar.cica = bar.seat("dara")
    bar.buy(ana, 500, "k2")


@pytest.mark.anyio
async def test_two_devices_at_once_give_no_more(database_url):
    database = Database(database_url)
    try:
        bar = await database.write(Bar)
        guests = [await database.write(_at(bar, lambda at: at.guest())) for _ in range(6)]
        await database.write(lambda tx: tx.execute(sa.insert(tables.staff).values(**OLGA)))
        await database.write(_at(bar, lambda at: at.hold_to(points=250)))

        async def buy(guest):
            try:
                await database.write(_at(bar, lambda at: at.buy(guest, 100, f"of {guest}")))
            except LimitReached:
                return 0
            return 100

        assert sum(await asyncio.gather(*map(buy, guests))) == 200
        balances = [await database.read(_at(bar, lambda at, g=g: at.balance(g))) for g in guests]
        assert sum(balances) == 200
    finally:
        database.close()


def _at(bar, do):
    return lambda tx: do(bar.within(tx))


# -- look-ups --------------------------------------------------------------------------------------


def test_look_ups_end_at_the_limit_and_go_on_as_the_hour_goes_by(bar):
    bar.hold_to(look_ups=2)
    bar.find(minute=0)
    bar.find(minute=40)
    with pytest.raises(LimitReached) as refused:
        bar.find(minute=59)
    assert (refused.value.limit, refused.value.left) == (2, 0)
    bar.find(minute=60)
    with pytest.raises(LimitReached):
        bar.find(minute=61)


def test_what_looks_nobody_up_is_no_look_up(bar):
    bar.hold_to(look_ups=1)
    for _ in range(3):
        with pytest.raises(Rejected, match="digits"):
            lookup.find(bar.tx, bar.cica, "12", NOW)
    bar.find()


# -- who sets them ---------------------------------------------------------------------------------


def test_a_manager_limits_cashiers_of_their_cafes_and_nobody_else(bar):
    zrno = Bar(bar.tx, "zrno")
    cafes = frozenset({bar.cafe.id})
    mira = bar.seat("mira", "manager").member
    for id_ in (mira.id, 0):
        bar.employ(id_)
    staff.limit(bar.tx, mira, bar.cica.member.id, Limits(500, 20), NOW)
    assert staff.one(bar.tx, mira, bar.cica.member.id).limits == Limits(500, 20)
    for someone, error in ((zrno.cica.member.id, Missing), (mira.id, Rejected), (0, Forbidden)):
        with pytest.raises(error):
            staff.limit(bar.tx, mira, someone, Limits(), NOW)
    cashier = Member(bar.cica.member.id, "cica", "Cica", "cashier", cafes)
    with pytest.raises(Forbidden):
        staff.limit(bar.tx, cashier, cashier.id, Limits(), NOW)


def test_the_log_says_who_limited_whom(bar):
    bar.hold_to(500, 20)
    e = tables.event_log.c
    query = sa.select(e.staff_id, e.cafe_id, e.data).where(e.kind == "staff_limited")
    facts = {"login": "cica of bife", "points_a_day": 500, "lookups_an_hour": 20}
    assert tuple(bar.tx.execute(query).one()) == (0, bar.cafe.id, facts)


def test_a_limit_is_chosen_by_what_was_done_lately(bar, ana):
    at = (-40 * 24 * 60, -2 * 24 * 60, -24 * 60, -24 * 60 + 1, 0)
    for number, (minute, dinars) in enumerate(zip(at, (900, 300, 200, 200, 50), strict=True)):
        bar.buy(ana, dinars, f"k{number}", minute=minute)
    for minute in (-300, -270, -240, -239, -10):
        bar.find(minute=minute)
    who = bar.cica.member.id
    found = limits.lately(bar.tx, bar.owner(), who, "Europe/Belgrade", NOW)
    assert found == (400, 3)
