"""What an order earns, and what a refund takes back: pure arithmetic."""

from hypothesis import given
from hypothesis import strategies as st

from core.domain.earning import Rates, Sale, Worth, award, visits_until
from core.domain.refunding import Given, TakenBack, take_back
from tests.support.shop import item

ONE_FOR_ONE = Rates(earn_minor=100, earn_points=1)
CAPPUCCINO = {"cap": Worth(20, {"en": "Cappuccino"})}


def earned(total_minor, *items, carry=0, rates=ONE_FOR_ONE, products=CAPPUCCINO, left=None):
    sale = Sale(rates, total_minor, total_minor if left is None else left, items, products)
    return award(sale, currency="RSD", carry_minor=carry)


def test_each_full_step_of_money_earns():
    assert earned(85_00).points == 85
    assert earned(1250_00, rates=Rates(500_00, 1)).points == 2


def test_what_is_left_over_is_carried_to_the_next_order():
    first = earned(30_00, rates=Rates(50_00, 1))
    assert (first.points, first.carry_minor) == (0, 30_00)
    second = earned(20_00, rates=Rates(50_00, 1), carry=first.carry_minor)
    assert (second.points, second.carry_minor) == (1, 0)
    assert second.because == (
        {
            "rule": "spend",
            "points": 1,
            "spent_minor": 20_00,
            "currency": "RSD",
            "carried_minor": 30_00,
        },
    )


def test_a_product_earns_by_the_piece_and_its_money_does_not_earn_again():
    found = earned(500_00, item("cap", "2", 200_00), item("cake", "1", 100_00))
    assert [(r["rule"], r["points"]) for r in found.because] == [("product", 40), ("spend", 100)]
    assert found.points == 140
    assert found.because[0]["quantity"] == "2"
    assert found.because[0]["names"] == {"en": "Cappuccino"}


def test_a_discount_on_products_does_not_earn_below_zero():
    found = earned(150_00, item("cap", "1", 200_00))
    assert (found.points, found.carry_minor) == (20, 0)


def test_an_order_of_nothing_or_less_earns_nothing():
    for total in (0, -50_00):
        assert earned(total, item("cap", "1", 200_00), carry=70).points == 0
        assert earned(total, carry=70).carry_minor == 70


def test_half_a_piece_earns_half_of_it():
    assert earned(100_00, item("cap", "0.5", 200_00)).points == 10


def test_what_was_refunded_before_its_guest_was_found_does_not_earn():
    assert earned(100_00, left=40_00).points == 40
    assert earned(400_00, item("cap", "2", 200_00), left=200_00).points == 20
    assert earned(100_00, left=0).points == 0


orders = st.lists(st.integers(0, 500_00), min_size=1, max_size=12)


@given(orders, st.integers(1, 300_00), st.integers(1, 50))
def test_however_money_is_split_into_orders_it_earns_the_same(totals, earn_minor, earn_points):
    rates, carry, points = Rates(earn_minor, earn_points), 0, 0
    for total in totals:
        found = earned(total, carry=carry, rates=rates)
        assert found.points == sum(reason["points"] for reason in found.because)
        points, carry = points + found.points, found.carry_minor
    assert points == sum(totals) // earn_minor * earn_points
    assert carry == sum(totals) % earn_minor


# -- refunds ---------------------------------------------------------------------------------------


def refunded(points, carry, total, *amounts):
    done, taken = 0, []
    for amount in amounts:
        taken.append(take_back(Given(points, carry, total, done), amount))
        done += amount
    return taken


def test_thirds_take_back_in_proportion_and_the_last_one_takes_the_rest():
    taken = refunded(100, 0, 100_00, 33_33, 33_33, 33_33, 1)
    assert [back.points for back in taken] == [33, 33, 33, 1]


def test_an_order_that_gave_nothing_has_nothing_to_take():
    assert refunded(0, 0, 0, 0) == [TakenBack(0, 0)]


@given(
    st.integers(0, 10**6),
    st.integers(-(10**5), 10**5),
    st.lists(st.integers(1, 10**6), min_size=1, max_size=8),
)
def test_a_whole_refund_takes_exactly_what_was_given_in_whatever_steps(points, carry, amounts):
    taken = refunded(points, carry, sum(amounts), *amounts)
    assert sum(back.points for back in taken) == points
    assert sum(back.carry_minor for back in taken) == carry
    assert all(back.points >= 0 for back in taken)


def test_a_quantity_is_kept_as_it_was_written():
    assert earned(9_00, item("cap", "1.50", 1)).because[0]["quantity"] == "1.50"


# -- how long it takes -----------------------------------------------------------------------------


@given(st.integers(1, 900), st.integers(1, 9), st.integers(1, 40), st.integers(1, 900))
def test_visits_until_is_what_order_after_order_comes_to(earn_minor, earn_points, points, total):
    rates = Rates(earn_minor, earn_points)
    visits = balance = carry = 0
    while balance < points:
        order = earned(total, carry=carry, rates=rates)
        visits, balance, carry = visits + 1, balance + order.points, order.carry_minor
    assert visits_until(rates, points, total) == visits


def test_where_only_products_earn_no_number_of_visits_is_enough():
    assert visits_until(Rates(100, 0), 10, 450_00) is None
