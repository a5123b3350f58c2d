"""Points that expire: by lots, the soonest first, at the end of a day where the cafe is."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from core.domain.expiry import expires_at, last_day
from core.services import expiring, ledger, lots
from core.services.errors import Insufficient
from core.services.linking import merge
from core.services.notices import render_notice
from core.storage import tables
from tests.support.counter import Counter
from tests.support.shop import NOW

DAY = 24 * 60
"""In minutes."""
BELGRADE = "Europe/Belgrade"


@pytest.fixture
def shop(tx):
    """Points expire after 12 months. In the end every balance is the sum of its entries, and of
    its lots."""
    shop = Counter(tx)
    expire_after(shop, 12)
    yield shop
    assert ledger.prove(shop.tx) == []
    assert lots.prove(shop.tx) == []


def expire_after(shop: Counter, months: int | None, day: float = 0) -> None:
    lots.set_expiry(shop.tx, shop.cafe.programme_id, months, NOW + timedelta(days=day))


def left(shop: Counter, guest: int) -> list[tuple[str, int]]:
    """Last days, and the points that are good until then."""
    found = lots.left(shop.tx, guest, shop.cafe.programme_id)
    return [(last_day(expires, BELGRADE).isoformat(), points) for expires, points in found]


def sweep(shop: Counter, at: datetime) -> None:
    assert expiring.sweep(shop.tx, at) is False


def midnight(year: int, month: int, day: int) -> datetime:
    """Of that day in Belgrade, in winter."""
    return datetime(year, month, day, tzinfo=UTC) - timedelta(hours=1)


# -- when ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "months", "last"),
    [
        (datetime(2026, 11, 22, 12, tzinfo=UTC), 12, date(2027, 11, 22)),
        (datetime(2026, 11, 22, 23, 30, tzinfo=UTC), 12, date(2027, 11, 23)),  # their next day
        (datetime(2026, 8, 31, 12, tzinfo=UTC), 6, date(2027, 2, 28)),
        (datetime(2027, 8, 31, 12, tzinfo=UTC), 6, date(2028, 2, 29)),
        (datetime(2026, 12, 5, 12, tzinfo=UTC), 1, date(2027, 1, 5)),
    ],
)
def test_points_are_good_all_of_their_last_day_where_the_cafe_is(given, months, last):
    expires = expires_at(given, months, BELGRADE)
    assert last_day(expires, BELGRADE) == last
    assert expires.astimezone(UTC).hour == (22 if expires.month in range(4, 11) else 23)


# -- what expires ----------------------------------------------------------------------------------


def test_points_given_at_different_times_expire_at_different_times(shop):
    ana = shop.guest()
    shop.order("o1", 100_00, visit=shop.visit(ana).public_id)
    shop.give(ana, 30, minute=40 * DAY)
    assert left(shop, ana) == [("2027-11-22", 100), ("2028-01-01", 30)]
    sweep(shop, midnight(2027, 11, 23))
    assert left(shop, ana) == [("2028-01-01", 30)]
    assert shop.balance(ana) == 30


def test_they_are_taken_off_by_an_entry_that_says_so(shop):
    ana = shop.collector(100)
    sweep(shop, midnight(2027, 11, 23) - timedelta(seconds=1))
    assert shop.balance(ana) == 100
    sweep(shop, midnight(2027, 11, 23))
    sweep(shop, midnight(2027, 11, 23))
    first, *_ = ledger.last_entries(shop.tx, ana, shop.cafe.programme_id)
    assert (first.kind, first.points, first.balance) == ("expire", -100, 0)
    assert [why["rule"] for why in first.because] == ["expired"]


def test_past_their_date_they_are_never_spent_though_nobody_has_swept_yet(shop):
    ana = shop.collector(100)
    shop.give(ana, 40, minute=40 * DAY)
    late = 365 * DAY + 13 * 60
    assert shop.available(ana, minute=364 * DAY) == 140
    assert shop.available(ana, minute=late) == 40
    assert shop.offers(ana, minute=late)["Cake"].missing == 60
    shop.confirm(shop.pick(ana, shop.coffee, minute=late).id, minute=late)
    sweep(shop, NOW + timedelta(minutes=late))
    assert shop.balance(ana) == 0


def test_held_over_midnight_they_are_gone_when_it_is_confirmed(shop):
    ana = shop.collector(100)
    minute = (midnight(2027, 11, 23) - NOW) / timedelta(minutes=1)
    picked = shop.pick(ana, minute=minute - 1)
    with pytest.raises(Insufficient):
        shop.confirm(picked.id, minute=minute + 1)


def test_the_soonest_to_expire_are_spent_first(shop):
    ana = shop.collector(30)
    shop.give(ana, 50, minute=40 * DAY)
    shop.confirm(shop.pick(ana, shop.coffee, minute=41 * DAY).id, minute=41 * DAY)
    assert left(shop, ana) == [("2028-01-01", 40)]


def test_what_fills_a_hole_below_zero_is_in_no_lot(shop):
    ana = shop.collector(20)
    shop.give(ana, -50)
    assert left(shop, ana) == []
    shop.give(ana, 70)
    assert left(shop, ana) == [("2027-11-22", 40)]


# -- what comes back -------------------------------------------------------------------------------


def test_a_returned_reward_keeps_the_dates_of_its_points(shop):
    ana = shop.collector(30)
    shop.give(ana, 50, minute=40 * DAY)
    picked = shop.pick(ana, shop.coffee, minute=41 * DAY)
    shop.confirm(picked.id, minute=41 * DAY)
    shop.order("o1", 0, redemptions=(picked.id,), minute=41 * DAY)
    shop.refund("o1")
    assert left(shop, ana) == [("2027-11-22", 30), ("2028-01-01", 50)]


def test_what_comes_back_past_its_date_expires_at_once(shop):
    ana = shop.collector(100)
    picked = shop.pick(ana)
    shop.confirm(picked.id)
    shop.order("o1", 0, redemptions=(picked.id,))
    late = midnight(2027, 11, 23)
    shop.refund("o1")
    assert shop.available(ana, minute=(late - NOW) / timedelta(minutes=1)) == 0
    sweep(shop, late)
    assert shop.balance(ana) == 0


def test_two_guests_who_are_one_keep_every_date(shop):
    ana, other = shop.collector(30), shop.guest("Ana again")
    shop.give(other, 50, minute=40 * DAY)
    merge(shop.tx, keep=ana, other=other, now=NOW + timedelta(days=50))
    assert left(shop, ana) == [("2027-11-22", 30), ("2028-01-01", 50)]
    assert left(shop, other) == []


# -- the owner's choice ----------------------------------------------------------------------------


def test_by_default_nothing_expires_and_there_are_no_lots(shop):
    elsewhere = Counter(shop.tx, "kod-ane")
    ana = elsewhere.collector(100)
    elsewhere.confirm(elsewhere.pick(ana).id)
    assert left(elsewhere, ana) == []
    assert shop.tx.scalar(sa.select(sa.func.count()).select_from(tables.lots)) == 0
    sweep(shop, NOW + timedelta(days=9999))


def test_switched_on_what_guests_have_counts_as_given_then(shop):
    elsewhere = Counter(shop.tx, "kod-ane")
    ana, poor = elsewhere.collector(100), elsewhere.collector(-5, "Bora")
    expire_after(elsewhere, 6, day=10)
    assert left(elsewhere, ana) == [("2027-06-02", 100)]
    assert left(elsewhere, poor) == []


def test_another_number_of_months_is_for_what_comes(shop):
    ana = shop.collector(100)
    expire_after(shop, 6)
    shop.give(ana, 30)
    assert left(shop, ana) == [("2027-05-22", 30), ("2027-11-22", 100)]


def test_switched_off_nothing_expires_any_more(shop):
    ana = shop.collector(100)
    shop.confirm(shop.pick(ana, shop.coffee).id)
    expire_after(shop, None)
    sweep(shop, NOW + timedelta(days=999))
    assert shop.balance(ana) == 60


def test_an_account_opened_afterwards_has_lots_too(shop):
    assert left(shop, shop.collector(7)) == [("2027-11-22", 7)]


# -- warnings --------------------------------------------------------------------------------------


def warnings(shop: Counter, guest: int) -> list[list[str]]:
    return [
        render_notice(kind, facts, "en").text.split("\n")[:2]
        for kind, facts in shop.notices(guest)
        if kind == "points_expiring"
    ]


def test_a_guest_is_warned_a_month_and_a_week_before(shop):
    ana = shop.collector(100)
    expires = midnight(2027, 11, 23)
    sweep(shop, expires - timedelta(days=31))
    assert warnings(shop, ana) == []
    once = ["⏳ BIFE: 100 points", "They can be used until 22 November 2027."]
    for days in (30, 29, 8):
        sweep(shop, expires - timedelta(days=days))
    assert warnings(shop, ana) == [once]
    for days in (7, 6, 1):
        sweep(shop, expires - timedelta(days=days))
    assert warnings(shop, ana) == [once, once]


def test_one_warning_speaks_of_all_that_expires_that_week(shop):
    ana = shop.collector(100)
    for day in (1, 5, 20):
        shop.give(ana, 10, minute=day * DAY)
    sweep(shop, midnight(2027, 11, 23) - timedelta(days=30))
    assert warnings(shop, ana) == [
        ["⏳ BIFE: 120 points", "They expire soon, from 22 November 2027 to 27 November 2027."]
    ]
    sweep(shop, midnight(2027, 11, 23) - timedelta(days=24))
    assert len(warnings(shop, ana)) == 1


def test_what_was_spent_is_not_warned_of(shop):
    ana = shop.collector(40)
    shop.confirm(shop.pick(ana, shop.coffee).id)
    sweep(shop, midnight(2027, 11, 23) - timedelta(days=30))
    assert warnings(shop, ana) == []


def test_where_points_are_good_for_a_month_nobody_is_warned_as_they_come(shop):
    expire_after(shop, 1)
    ana = shop.collector(100)
    sweep(shop, NOW + timedelta(days=2))
    assert warnings(shop, ana) == []
    sweep(shop, NOW + timedelta(days=24))
    assert len(warnings(shop, ana)) == 1
