"""Orders, refunds and claims: whose they are, what they give and take, and only once."""

from dataclasses import replace
from decimal import Decimal

import pytest
import sqlalchemy as sa

from core.contract import Line, OrderCounted, OrderPaid, OrderRefunded, OrderTakenBack
from core.services import cafes, guests, ledger, paid_orders, refunds
from core.services.errors import (
    AlreadyClaimed,
    Conflict,
    Invalid,
    TooLate,
    TooMuch,
    UnknownOrder,
    UnknownRedemption,
    UnknownVisit,
    WrongCurrency,
)
from core.storage import tables
from tests.support.shop import MINUTE, NOW, Shop, item

HOUR = 60


@pytest.fixture
def shop(tx):
    """In the end, whatever happened, every balance is the sum of its entries."""
    shop = Shop(tx)
    yield shop
    assert ledger.prove(shop.tx) == []


def public_id(shop, guest):
    return guests.profile(shop.tx, guest).public_id


# -- what an order gives ---------------------------------------------------------------------------


def test_an_order_in_a_visit_gives_points_and_says_why(shop):
    ana = shop.guest()
    visit = shop.visit(ana)
    counted = shop.order("1", 85_50, visit=visit.public_id)
    assert counted.response == {
        "order_id": "1",
        "points": 85,
        "balance": 85,
        "because": [{"rule": "spend", "points": 85}],
    }
    assert not counted.duplicate
    assert shop.balance(ana) == 85
    assert shop.order("2", 50, visit=visit.public_id).response["points"] == 1  # 50 para were left


def test_products_earn_by_the_piece(shop):
    shop.product("cap", 20)
    visit = shop.visit(shop.guest())
    lines = (item("cap", "2", 200_00), item("cake", "1", 100_00), item(None, "1", 5_00))
    counted = shop.order("1", 500_00, visit=visit.public_id, lines=lines)
    assert counted.response["because"] == [
        {"rule": "product", "points": 40},
        {"rule": "spend", "points": 100},
    ]


def test_the_guest_is_told_the_cafe_the_points_why_the_balance_and_what_is_next(shop):
    ana = shop.guest()
    shop.order("1", 85_00, visit=shop.visit(ana).public_id)
    [(kind, facts)] = shop.notices(ana)
    assert kind == "points_earned"
    assert (facts["cafe"], facts["points"], facts["balance"], facts["unit"]) == (
        "BIFE",
        85,
        85,
        "points",
    )
    assert facts["because"][0]["spent_minor"] == 85_00
    assert facts["next"] == {"names": cafes.FIRST_REWARD, "cost": 1000}


def test_the_order_that_reaches_a_reward_says_so_once(shop):
    ana = shop.guest()
    visit = shop.visit(ana).public_id
    for order_id, total in (("1", 999_00), ("2", 2_00), ("3", 2_00)):
        shop.order(order_id, total, visit=visit)
    said = [("reached" in facts, "next" in facts) for _, facts in shop.notices(ana)]
    assert said == [(False, True), (True, False), (False, False)]


def test_plugins_and_pages_hear_of_it(shop):
    ana = shop.guest()
    shop.order("1", 85_00, visit=shop.visit(ana).public_id)
    shop.refund("1")
    ana_id = public_id(shop, ana)
    assert shop.tx.events[-2:] == [
        OrderCounted(cafe="bife", order_id="1", guest_id=ana_id, points=85, balance=85),
        OrderTakenBack(cafe="bife", order_id="1", guest_id=ana_id, points=-85, balance=0),
    ]
    assert {"cafe:bife", f"guest:{ana_id}", "outbox:telegram"} <= set(shop.tx.rings)


def test_an_order_too_small_for_a_point_is_counted_without_a_message(shop):
    ana = shop.guest()
    assert shop.order("1", 40, visit=shop.visit(ana).public_id).response["points"] == 0
    assert shop.notices(ana) == []


@pytest.mark.parametrize("total", [0, -50_00])
def test_an_order_of_nothing_or_less_gives_nothing(shop, total):
    counted = shop.order("1", total, visit=shop.visit(shop.guest()).public_id)
    assert (counted.response["points"], counted.response["balance"]) == (0, 0)


def test_cafes_that_share_a_programme_share_the_balance(shop):
    ana = shop.guest()
    other = Shop(shop.tx, "rife")
    shop.order("1", 100_00, visit=shop.visit(ana).public_id)
    assert other.order("1", 10_00, visit=other.visit(ana).public_id).response["balance"] == 10
    other.cafe = other.cafe._replace(programme_id=shop.cafe.programme_id)
    assert other.order("2", 10_00, visit=other.visit(ana).public_id).response["balance"] == 110


# -- whose it is -----------------------------------------------------------------------------------


def test_without_a_name_it_is_the_visit_that_its_till_had_when_it_was_paid(shop):
    ana, bob = shop.guest("Ana"), shop.guest("Bob")
    shop.visit(ana, 0)
    shop.visit(bob, 5)
    shop.order("late", minute=30, paid=4.9)
    shop.order("now", minute=6)
    shop.order("other till", minute=6, till=shop.door)
    shop.order("after", minute=25)
    found = [shop.owner(order) for order in ("late", "now", "other till", "after")]
    assert found == [ana, bob, None, None]


def test_a_visit_ends_where_the_next_at_its_till_begins(shop):
    first, other_till = shop.visit(shop.guest()), shop.visit(shop.guest(), till=shop.door)
    second = shop.visit(shop.guest(), 5)
    c = tables.visits.c
    ends = {row.id: row.ends_at for row in shop.tx.execute(sa.select(c.id, c.ends_at))}
    assert ends == {
        first.id: NOW + 5 * MINUTE,
        other_till.id: NOW + 15 * MINUTE,
        second.id: NOW + 20 * MINUTE,
    }


def test_only_the_first_such_order_is_the_visits(shop):
    ana = shop.guest()
    shop.visit(ana)
    shop.order("first", minute=1)
    assert shop.order("second", minute=2).response == {
        "order_id": "second",
        "points": 0,
        "balance": None,
        "because": [],
    }
    shop.visit(ana, 3)  # the same guest, by a new code: a new visit
    shop.order("third", minute=4)
    assert [shop.owner(order) for order in ("first", "second", "third")] == [ana, None, ana]


def test_orders_that_name_their_visit_share_it_whoever_came_since(shop):
    ana, bob = shop.guest("Ana"), shop.guest("Bob")
    visit = shop.visit(ana).public_id
    shop.visit(bob, 2)
    shop.order("half", minute=3, visit=visit)
    shop.order("other half", minute=14, visit=visit)
    shop.order("unnamed", minute=4)
    found = [shop.owner(order) for order in ("half", "other half", "unnamed")]
    assert found == [ana, ana, bob]


def test_a_named_visit_that_is_over_gives_the_order_to_nobody_else(shop):
    ana, bob = shop.guest("Ana"), shop.guest("Bob")
    visit = shop.visit(ana).public_id
    shop.visit(bob, 16)
    shop.order("too late", minute=17, visit=visit)
    shop.order("paid in time", minute=600, paid=15, visit=visit)
    assert (shop.owner("too late"), shop.owner("paid in time")) == (None, ana)


def test_a_visit_that_nobody_knows_is_refused_also_that_of_another_cafe(shop):
    elsewhere = Shop(shop.tx, "rife")
    visit = elsewhere.visit(elsewhere.guest()).public_id
    for unknown in (visit, "nothing", "\0"[:0]):
        with pytest.raises(UnknownVisit):
            shop.order("1", visit=unknown)


def test_an_order_found_late_is_nobodys_unless_its_till_says_when_it_was_paid(shop):
    ana = shop.guest()
    shop.visit(ana)
    shop.order("guess", source="octopos", station="7", live=False, minute=1)
    shop.order("known", source="octopos", station="7", live=False, minute=90, paid=2)
    assert (shop.owner("guess"), shop.owner("known")) == (None, ana)


def test_a_till_system_names_its_station(shop):
    ana = shop.guest()
    shop.visit(ana)
    shop.order("elsewhere", source="octopos", station="8", minute=1)
    shop.order("here", source="octopos", station="7", minute=1)
    assert (shop.owner("elsewhere"), shop.owner("here")) == (None, ana)


def test_the_reward_cards_phone_comes_before_the_open_visit(shop):
    ana, bob = shop.guest("Ana", phone="+381601234567"), shop.guest("Bob")
    shop.visit(bob)
    shop.order("card", source="octopos", station="7", phone="+381601234567")
    shop.order("unknown card", source="octopos", station="7", phone="+381609999999")
    assert (shop.owner("card"), shop.owner("unknown card")) == (ana, bob)


def test_a_proven_phone_wins_and_two_typed_ones_are_nobodys(shop):
    phone = "+381601234567"
    shop.guest("Ana", phone=phone)
    shop.guest("Bob", phone=phone)
    shop.order("ambiguous", source="octopos", phone=phone)
    eve = shop.guest("Eve", phone=phone, phone_proven=True)
    shop.order("proven", source="octopos", phone=phone)
    assert (shop.owner("ambiguous"), shop.owner("proven")) == (None, eve)


def test_an_order_makes_the_guest_one_of_the_cafes(shop):
    elsewhere = Shop(shop.tx, "rife")
    ana = elsewhere.guest(phone="+381601234567")
    shop.order("1", source="octopos", phone="+381601234567")
    c = tables.memberships.c
    found = shop.tx.execute(sa.select(c.cafe_id).where(c.guest_id == ana)).scalars()
    assert set(found) == {shop.cafe.id, elsewhere.cafe.id}


def test_a_guest_who_was_merged_into_another_earns_for_that_one(shop):
    ana, bob = shop.guest("Ana"), shop.guest("Bob")
    visit = shop.visit(ana).public_id
    c = tables.guests.c
    shop.tx.execute(sa.update(tables.guests).where(c.id == ana).values(merged_into=bob))
    shop.order("1", 10_00, visit=visit)
    assert (shop.balance(ana), shop.balance(bob)) == (0, 10)


def test_an_erased_guest_earns_no_more(shop):
    ana = shop.guest()
    visit = shop.visit(ana).public_id
    shop.tx.execute(sa.update(tables.guests).values(erased_at=NOW))
    assert shop.order("1", visit=visit).response["balance"] is None
    with pytest.raises(UnknownVisit):
        shop.claim("1", visit)


# -- once ------------------------------------------------------------------------------------------


def test_the_same_again_is_answered_the_same_and_counts_nothing(shop):
    ana = shop.guest()
    visit = shop.visit(ana).public_id
    first = shop.order("1", 10_00, visit=visit)
    shop.order("2", 20_00, visit=visit)
    again = shop.order("1", 10_00, visit=visit)
    other_key = shop.order("1", 10_00, visit=visit, key="another")
    assert again.duplicate
    assert again.response == first.response == other_key.response
    assert shop.balance(ana) == 30
    assert len(shop.notices(ana)) == 2


def test_the_first_order_of_a_visit_may_be_repeated(shop):
    ana = shop.guest()
    shop.visit(ana)
    first = shop.order("1", minute=1)
    again = shop.order("1", minute=2)
    assert again == replace(first, duplicate=True)


@pytest.mark.parametrize(
    "other",
    [
        {"total_minor": 101_00},
        {"paid": 3},
        {"lines": (item("cap"),)},
        {"order_id": "2", "key": "key of 1"},
        {"order_id": "2", "key": "key of 1", "total_minor": 5},
        {"visit": None},
    ],
)
def test_other_data_under_the_same_id_or_key_is_a_conflict(shop, other):
    ana = shop.guest()
    said = {"order_id": "1", "visit": shop.visit(ana).public_id, "minute": 1}
    shop.order(**said)
    with pytest.raises(Conflict):
        shop.order(**{**said, **other})
    assert shop.balance(ana) == 100


def test_a_key_of_one_order_is_none_for_another_that_is_there(shop):
    shop.order("1")
    shop.order("2")
    with pytest.raises(Conflict):
        shop.order("2", key="key of 1")


def test_two_tills_may_use_the_same_key_and_two_sources_the_same_order_id(shop):
    shop.order("1", key="k", till=shop.bar)
    shop.order("2", key="k", till=shop.door)
    assert not shop.order("1", source="octopos").duplicate


def test_a_till_system_that_reports_an_order_again_counts_nothing(shop):
    ana = shop.guest()
    shop.visit(ana)
    shop.order("1", 50_00, source="octopos", station="7", minute=1)
    again = shop.order("1", 60_00, source="octopos", live=False, minute=99)
    assert again.duplicate
    assert shop.balance(ana) == 50
    c = tables.event_log.c
    [data] = shop.tx.execute(sa.select(c.data).where(c.kind == "order_changed")).scalars()
    assert data == {"order": "1", "counted_minor": 50_00, "now_minor": 60_00}


# -- refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("order_id", ["", "x" * 201, "a\0b", "a\nb", "\ud800"])
def test_an_order_id_is_short_and_printable(shop, order_id):
    with pytest.raises(Invalid):
        shop.order(order_id)


def test_what_can_not_be_counted_is_refused(shop):
    with pytest.raises(WrongCurrency):
        shop.order("1", currency="EUR")
    with pytest.raises(UnknownRedemption):
        shop.order("1", redemptions=("gift",))
    with pytest.raises(Invalid):
        shop.order("1", lines=(item("cap", "NaN"),))
    with pytest.raises(Invalid):
        shop.order("1", lines=(item("cap", "1E+9"),))
    with pytest.raises(Invalid):
        shop.order("1", lines=(item("cap"),) * 501)


def test_names_of_lines_are_kept_as_far_as_they_can_be(shop):
    shop.order("1", lines=(item("кафа\0 ☕\ud800" + "x" * 10_000),))
    line = shop.tx.execute(sa.select(tables.order_lines)).one()
    assert line.name.startswith("кафа ☕?xxx")
    assert len(line.name) == 200


def test_what_a_tills_adapter_reports_becomes_minor_units():
    event = OrderPaid(
        order_id="1",
        total=Decimal("85.5"),
        lines=(Line("Cake", Decimal(3), Decimal("33.3333")),),
        station="7",
    )
    order = paid_orders.paid_order(event, "RSD")
    assert (order.total_minor, order.currency, order.lines[0].price_minor) == (85_50, "RSD", 33_33)
    with pytest.raises(Invalid):
        paid_orders.paid_order(replace(event, total=Decimal("NaN")), "RSD")
    with pytest.raises(Invalid):
        refunds.order_refund(
            OrderRefunded(order_id="1", refund_id="2", amount=Decimal("1.005")), "RSD"
        )


# -- refunds ---------------------------------------------------------------------------------------


def test_a_refund_takes_back_in_proportion_and_at_last_exactly_all(shop):
    ana = shop.guest()
    shop.order("1", 100_00, visit=shop.visit(ana).public_id)
    taken = [shop.refund("1", f"r{n}", 33_33).response["points"] for n in range(3)]
    last = shop.refund("1", "r9")
    assert [*taken, last.response["points"]] == [-33, -33, -33, -1]
    assert last.response == {"order_id": "1", "refund_id": "r9", "points": -1, "balance": 0}
    assert [kind for kind, _ in shop.notices(ana)] == ["points_earned"] + ["points_taken_back"] * 4


def test_a_refund_takes_what_was_recorded_whatever_the_rates_are_today(shop):
    ana = shop.guest()
    shop.order("1", 100_00, visit=shop.visit(ana).public_id)
    shop.tx.execute(sa.update(tables.programmes).values(earn_points=50))
    assert shop.refund("1", amount_minor=50_00).response["points"] == -50


def test_a_balance_may_go_below_zero_and_says_so(shop):
    ana = shop.guest()
    shop.order("1", 100_00, visit=shop.visit(ana).public_id)
    ledger.add_entry(
        shop.tx,
        guest_id=ana,
        programme_id=shop.cafe.programme_id,
        cafe_id=shop.cafe.id,
        kind="merge",
        reference="spent",
        points=-80,
        because=[],
        now=NOW,
    )
    assert shop.refund("1").response["balance"] == -80
    assert shop.notices(ana)[-1][1]["balance"] == -80


def test_the_remainder_that_a_refunded_order_carried_goes_with_it(shop):
    ana = shop.guest()
    visit = shop.visit(ana).public_id
    shop.order("1", 99, visit=visit)
    shop.refund("1")
    assert shop.order("2", 1, visit=visit).response["points"] == 0


def test_a_remainder_that_a_refunded_order_used_up_comes_back(shop):
    ana = shop.guest()
    visit = shop.visit(ana).public_id
    shop.order("1", 50, visit=visit)
    shop.order("2", 60, visit=visit)
    assert shop.refund("2").response["points"] == -1
    assert shop.order("3", 50, visit=visit).response["points"] == 1


def test_a_refund_before_its_order_waits_and_counts_when_the_order_comes(shop):
    ana = shop.guest()
    visit = shop.visit(ana).public_id
    parked = shop.refund("1", amount_minor=40_00)
    assert parked.parked
    assert parked.response == {
        "order_id": "1",
        "refund_id": "r1",
        "points": 0,
        "balance": None,
        "status": "parked",
    }
    assert shop.refund("1", amount_minor=40_00).parked
    counted = shop.order("1", 100_00, visit=visit)
    assert (counted.response["points"], counted.response["balance"]) == (100, 60)
    assert shop.order("1", 100_00, visit=visit).response == counted.response
    again = shop.refund("1", amount_minor=40_00)
    assert again.duplicate
    assert again.response == {"order_id": "1", "refund_id": "r1", "points": -40, "balance": 60}
    assert shop.balance(ana) == 60


def test_a_refund_that_is_parked_between_two_orders_waits_for_its_own(shop):
    ana = shop.guest()
    visit = shop.visit(ana)
    shop.order("1", 100_00, visit=visit.public_id)
    assert shop.refund("2", amount_minor=40_00).parked
    assert shop.order("2", 100_00, visit=visit.public_id).response["balance"] == 160
    assert shop.balance(ana) == 160


def test_parked_refunds_of_more_than_the_order_take_no_more_than_it_gave(shop):
    ana = shop.guest()
    shop.refund("1", "r1", 70_00)
    shop.refund("1", "r2", 70_00)
    shop.refund("1", "r3")
    shop.order("1", 100_00, visit=shop.visit(ana).public_id)
    assert shop.balance(ana) == 0


def test_more_than_is_left_is_refused_to_the_api_and_cut_for_a_till_system(shop):
    ana = shop.guest()
    shop.order("1", 100_00, visit=shop.visit(ana).public_id)
    with pytest.raises(TooMuch):
        shop.refund("1", amount_minor=100_01)
    shop.order("2", 50_00, source="octopos", phone=None, station="7", minute=1)
    assert shop.refund("2", "r2", 60_00, source="octopos").response["points"] == -50
    assert shop.refund("2", "r3", 60_00, source="octopos").response["points"] == 0


def test_a_refund_counts_once_and_conflicts_with_other_data(shop):
    ana = shop.guest()
    shop.order("1", 100_00, visit=shop.visit(ana).public_id)
    first = shop.refund("1", amount_minor=10_00)
    assert shop.refund("1", amount_minor=10_00) == replace(first, duplicate=True)
    assert shop.refund("1", amount_minor=10_00, key="another").duplicate
    with pytest.raises(Conflict):
        shop.refund("1", amount_minor=20_00)
    with pytest.raises(Conflict):
        shop.refund("1", "r2", 10_00, key="key of r1")
    assert shop.balance(ana) == 90


@pytest.mark.parametrize("amount", [0, -5])
def test_a_refund_is_of_more_than_nothing(shop, amount):
    with pytest.raises(Invalid):
        shop.refund("1", amount_minor=amount)


def test_refunding_a_nobodys_order_takes_nothing(shop):
    shop.order("1")
    assert shop.refund("1").response == {
        "order_id": "1",
        "refund_id": "r1",
        "points": 0,
        "balance": None,
    }


# -- claims ----------------------------------------------------------------------------------------


def test_a_nobodys_order_finds_its_guest(shop):
    ana = shop.guest()
    shop.product("cap", 20)
    shop.order("1", 300_00, lines=(item("cap", "1", 200_00),))
    visit = shop.visit(ana, minute=HOUR).public_id
    counted = shop.claim("1", visit, minute=HOUR)
    assert counted.response == {
        "order_id": "1",
        "points": 120,
        "balance": 120,
        "because": [{"rule": "product", "points": 20}, {"rule": "spend", "points": 100}],
    }
    assert shop.claim("1", visit, minute=HOUR) == replace(counted, duplicate=True)
    assert [kind for kind, _ in shop.notices(ana)] == ["points_earned"]
    assert shop.refund("1").response["balance"] == 0


def test_a_claimed_order_earns_on_what_refunds_have_left(shop):
    ana = shop.guest()
    shop.order("1", 100_00)
    shop.refund("1", "r1", 40_00)
    assert shop.claim("1", shop.visit(ana).public_id).response["points"] == 60
    assert shop.refund("1", "r2", 20_00).response["points"] == -20
    assert shop.refund("1", "r3").response["balance"] == 0


def test_a_claim_comes_within_48_hours_for_an_order_that_is_nobodys(shop):
    ana, bob = shop.guest("Ana"), shop.guest("Bob")
    shop.order("1")
    late = shop.visit(ana, minute=49 * HOUR).public_id
    with pytest.raises(TooLate):
        shop.claim("1", late, minute=48 * HOUR + 1)
    with pytest.raises(UnknownOrder):
        shop.claim("none", late)
    with pytest.raises(UnknownVisit):
        shop.claim("1", "none")
    shop.claim("1", late, minute=48 * HOUR)
    with pytest.raises(AlreadyClaimed):
        shop.claim("1", shop.visit(bob).public_id)
    assert (shop.balance(ana), shop.balance(bob)) == (100, 0)


# -- the books -------------------------------------------------------------------------------------


def test_the_last_entries_come_with_their_reasons_newest_first(shop):
    ana = shop.guest()
    shop.order("1", 100_00, visit=shop.visit(ana).public_id)
    shop.refund("1", amount_minor=25_00)
    back, earned = ledger.last_entries(shop.tx, ana, shop.cafe.programme_id)
    assert (earned.kind, earned.points, earned.balance) == ("order", 100, 100)
    assert earned.because[0]["spent_minor"] == 100_00
    assert (back.kind, back.points, back.balance, back.at) == ("refund", -25, 75, NOW)


def test_a_balance_that_the_books_do_not_bear_out_is_found(shop):
    ana = shop.guest()
    shop.order("1", 100_00, visit=shop.visit(ana).public_id)
    c = tables.accounts.c
    shop.tx.execute(sa.update(tables.accounts).where(c.guest_id == ana).values(balance=101))
    programme = shop.cafe.programme_id
    assert ledger.prove(shop.tx) == [ledger.Discrepancy(ana, programme, balance=101, entries=100)]
    shop.tx.execute(sa.update(tables.accounts).where(c.guest_id == ana).values(balance=100))
