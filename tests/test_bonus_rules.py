"""What bonus rules give for an order: pure arithmetic, and the clock on the cafe's wall."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.domain.bonuses import (
    KINDS,
    MULTIPLIERS,
    Occasion,
    Past,
    Rule,
    Used,
    best,
    choices,
    on_top,
)
from core.domain.earning import Rates, Sale, Worth, award, earned_by
from core.domain.refunding import Given, take_back
from tests.support.shop import item

BELGRADE = ZoneInfo("Europe/Belgrade")
SUNDAY = datetime(2026, 11, 22, 13, 0, tzinfo=BELGRADE)
ONE_FOR_ONE = Rates(100, 1)
CAPPUCCINO = {"cap": Worth(20, {"en": "Cappuccino"})}
EVERY_DAY = list(range(7))
NOTHING = Past()


def sale(total: int = 100_00, *items, left: int | None = None, rates=ONE_FOR_ONE) -> Sale:
    return Sale(rates, total, total if left is None else left, items, CAPPUCCINO)


def order(of: Sale | None = None, at: datetime = SUNDAY, past: Past = NOTHING, **more) -> Occasion:
    of = of or sale()
    earned = award(of, currency="RSD", carry_minor=0).points
    return Occasion(of, earned, at, past, **more)


def rule(kind: str, id_: int = 1, per_guest: int | None = None, **params: Any) -> Rule:
    return Rule(id_, kind, {}, params, per_guest)


def gives(one: Rule, order: Occasion) -> int:
    return sum(bonus.points for bonus in best([one], order))


def happy(start: str, end: str, weekdays: list[int] = EVERY_DAY, factor: int = 200) -> Rule:
    def minute(text: str) -> int:
        return int(text[:2]) * 60 + int(text[3:])

    hours = {"from": minute(start), "to": minute(end)}
    return rule("happy_hours", 3, factor=factor, weekdays=weekdays, **hours)


# -- bonuses for coming ----------------------------------------------------------------------------


def test_the_first_paid_order_is_welcomed() -> None:
    assert gives(rule("welcome", points=50), order()) == 50
    assert gives(rule("welcome", points=50), order(past=Past(1))) == 0


def test_nothing_is_given_for_an_order_of_nothing() -> None:
    for total in (0, -5_00):
        assert gives(rule("welcome", points=50), order(sale(total))) == 0
    assert gives(rule("welcome", points=50), order(sale(100_00, left=0))) == 0


def test_the_first_visit_of_a_day_is_given_once_a_day() -> None:
    first = rule("first_of_day", points=5)
    assert gives(first, order(past=Past(9, today=False))) == 5
    assert gives(first, order(past=Past(9, today=True))) == 0


def test_every_fifth_visit() -> None:
    fifth = rule("nth_visit", points=30, every=5)
    found = [gives(fifth, order(past=Past(before))) for before in range(15)]
    assert found == [0, 0, 0, 0, 30] * 3
    assert gives(fifth, order(past=Past(4, same_visit=True))) == 0, "the rest of a split bill"


@pytest.mark.parametrize(
    ("birthday", "today", "days", "given"),
    [
        ("1990-11-22", (2026, 11, 22), 0, True),
        ("--11-22", (2026, 11, 22), 0, True),
        ("--11-22", (2026, 11, 23), 0, False),
        ("--11-22", (2026, 11, 25), 3, True),
        ("--11-22", (2026, 11, 19), 3, True),
        ("--11-22", (2026, 11, 18), 3, False),
        ("--12-30", (2027, 1, 2), 3, True),
        ("--01-01", (2026, 12, 29), 3, True),
        ("--02-29", (2026, 2, 28), 0, True),
        ("--02-29", (2026, 3, 1), 0, False),
        ("--02-29", (2028, 2, 29), 0, True),
        ("--02-29", (2028, 2, 28), 0, False),
        (None, (2026, 11, 22), 0, False),
    ],
)
def test_a_birthday_is_kept_on_the_day_and_so_many_days_around_it(
    birthday: str | None, today: tuple[int, int, int], days: int, given: bool
) -> None:
    at = datetime(*today, 9, tzinfo=BELGRADE)
    found = gives(rule("birthday", points=100, days=days), order(at=at, birthday=birthday))
    assert found == (100 if given else 0)


def test_one_birthday_a_year_whatever_a_guest_says_theirs_is() -> None:
    kept = rule("birthday", points=100, days=30)
    for since, points in ((1, 0), (60, 0), (299, 0), (304, 100)):
        used = {1: Used(1, SUNDAY - timedelta(days=since))}
        assert gives(kept, order(birthday="--11-22", used=used)) == points


def test_spending_from_an_amount_on() -> None:
    over = rule("spend_over", points=40, over_minor=100_00)
    assert [gives(over, order(sale(total))) for total in (99_99, 100_00, 500_00)] == [0, 40, 40]


def test_a_guest_has_it_so_many_times() -> None:
    twice = rule("spend_over", per_guest=2, points=40, over_minor=1)
    used = {times: {1: Used(times, SUNDAY)} for times in (1, 2)}
    assert gives(twice, order(used=used[1])) == 40
    assert gives(twice, order(used=used[2])) == 0
    assert gives(twice, order(used={2: Used(9, SUNDAY)})) == 40, "another rule's"


# -- happy hours -----------------------------------------------------------------------------------


def at(day: int, time: str, fold: int = 0, month: int = 11) -> datetime:
    hour, minute = map(int, time.split(":"))
    return datetime(2026, month, day, hour, minute, 59, tzinfo=BELGRADE, fold=fold)


@pytest.mark.parametrize(
    ("when", "points"),
    [("13:59", 0), ("14:00", 100), ("15:59", 100), ("16:00", 0)],
)
def test_happy_hours_are_from_a_time_until_just_before_another(when: str, points: int) -> None:
    assert gives(happy("14:00", "16:00"), order(at=at(22, when))) == points


def test_hours_that_pass_midnight_belong_to_the_day_on_which_they_began() -> None:
    friday_night = happy("22:00", "02:00", [4])
    found = {
        f"{day} {time}": gives(friday_night, order(at=at(day, time)))
        for day, time in [
            (20, "01:00"), (20, "21:59"), (20, "22:00"), (20, "23:59"), (21, "00:00"),
            (21, "01:59"), (21, "02:00"), (21, "22:00"),
        ]
    }  # fmt: skip
    assert [when for when, points in found.items() if points] == [
        "20 22:00",
        "20 23:59",
        "21 00:00",
        "21 01:59",
    ]


def test_a_whole_day_and_until_midnight() -> None:
    sunday, evening = happy("00:00", "00:00", [6]), happy("18:00", "00:00", [6])
    assert [gives(sunday, order(at=at(day, "00:00"))) for day in (21, 22, 23)] == [0, 100, 0]
    assert gives(sunday, order(at=at(22, "23:59"))) == 100
    assert gives(evening, order(at=at(22, "23:59"))) == 100
    assert gives(evening, order(at=at(23, "00:00"))) == 0


@pytest.mark.parametrize(
    ("utc", "points"),
    [
        ("2026-03-29T00:30", 0),  # 01:30, before the clocks go forward
        ("2026-03-29T01:00", 0),  # 03:00: half past two was never there
        ("2026-10-24T23:59", 0),  # 01:59
        ("2026-10-25T00:30", 100),  # 02:30, for the first time
        ("2026-10-25T01:30", 100),  # 02:30, for the second time
        ("2026-10-25T02:00", 0),  # 03:00
    ],
)
def test_an_hour_is_what_the_clock_on_the_wall_shows(utc: str, points: int) -> None:
    moment = datetime.fromisoformat(utc).replace(tzinfo=UTC).astimezone(BELGRADE)
    assert gives(happy("02:00", "03:00"), order(at=moment)) == points


# -- multipliers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "points"), [(200, 85), (150, 42), (110, 8), (101, 0), (300, 170)]
)
def test_a_multiplier_gives_what_is_above_once_rounded_down(factor: int, points: int) -> None:
    assert gives(happy("00:00", "00:00", factor=factor), order(sale(85_00))) == points


def test_a_product_counts_by_its_pieces_or_by_its_share_of_the_money() -> None:
    bill = sale(
        600_00, item("cap", "2", 100_00), item("cake", "1", 300_00), item("tea", "1", 100_00)
    )
    assert award(bill, currency="RSD", carry_minor=0).points == 2 * 20 + 400
    assert earned_by({"cap"}, bill) == 40
    assert earned_by({"cake"}, bill) == 300
    assert earned_by({"cap", "tea"}, bill) == 140
    assert earned_by({"juice"}, bill) == 0
    assert gives(rule("product_multiplier", factor=150, skus=["cake"]), order(bill)) == 150


def test_a_discount_is_every_product_s_in_proportion() -> None:
    bill = sale(200_00, item("cake", "1", 300_00), item("tea", "1", 100_00))
    assert (earned_by({"cake"}, bill), earned_by({"tea"}, bill)) == (150, 50)


def test_money_that_no_line_tells_of_is_no_product_s() -> None:
    assert earned_by({"cake"}, sale(1000_00, item("cake", "1", 300_00))) == 300


def test_of_multipliers_the_best_for_the_guest_is_given_and_fixed_bonuses_add() -> None:
    bill = sale(400_00, item("cake", "1", 300_00), item("tea", "1", 100_00))
    rules = [
        rule("product_multiplier", 1, factor=300, skus=["tea"]),
        rule("product_multiplier", 2, factor=200, skus=["cake"]),
        happy("00:00", "00:00", factor=150),
        rule("welcome", 4, points=50),
        rule("spend_over", 5, points=7, over_minor=400_00),
    ]
    found = best(rules, order(bill))
    assert [(bonus.rule.id, bonus.points) for bonus in found] == [(4, 50), (5, 7), (2, 300)]
    multiplied = choices(rules, order(bill))[-1]
    assert [(bonus.rule.id, bonus.points) for bonus in multiplied] == [(2, 300), (1, 200), (3, 200)]


def test_what_is_given_says_why() -> None:
    named = Rule(1, "welcome", {"en": "Hello"}, {"points": 50})
    doubled = happy("00:00", "00:00")
    before = award(sale(10_00), currency="RSD", carry_minor=7)
    after = on_top(before, best([named, doubled], order(sale(10_00))))
    assert (after.points, after.carry_minor) == (10 + 50 + 10, 7)
    assert after.because == (
        *before.because,
        {"rule": "bonus", "points": 50, "kind": "welcome", "names": {"en": "Hello"}},
        {"rule": "bonus", "points": 10, "kind": "happy_hours", "names": {}, "factor": 200},
    )


# -- whatever the rules are ------------------------------------------------------------------------

PARAMS = {
    "welcome": {"points": st.integers(1, 500)},
    "first_of_day": {"points": st.integers(1, 500)},
    "nth_visit": {"points": st.integers(1, 500), "every": st.integers(2, 9)},
    "birthday": {"points": st.integers(1, 500), "days": st.integers(0, 30)},
    "spend_over": {"points": st.integers(1, 500), "over_minor": st.integers(1, 300_00)},
    "happy_hours": {
        "factor": st.integers(101, 500),
        "weekdays": st.lists(st.integers(0, 6), min_size=1, unique=True),
        "from": st.integers(0, 1439),
        "to": st.integers(0, 1439),
    },
    "product_multiplier": {
        "factor": st.integers(101, 500),
        "skus": st.lists(st.sampled_from(["cap", "cake", "tea"]), min_size=1, unique=True),
    },
}
kinds = st.sampled_from(KINDS).flatmap(
    lambda kind: st.tuples(st.just(kind), st.fixed_dictionaries(PARAMS[kind]))
)
rules = st.lists(kinds, max_size=6).map(
    lambda found: [Rule(n, kind, {}, params) for n, (kind, params) in enumerate(found)]
)
lines = st.lists(
    st.builds(
        item,
        st.sampled_from(["cap", "cake", "tea", None]),
        st.integers(-1, 4).map(str),
        st.integers(0, 200_00),
    ),
    max_size=4,
)
moments = st.datetimes(datetime(2024, 1, 1), datetime(2028, 12, 31)).map(
    lambda naive: naive.replace(tzinfo=UTC).astimezone(BELGRADE)
)
occasions = st.builds(
    lambda total, kept, items, at, past, birthday, steps: order(
        sale(total, *items, left=total * kept // 100, rates=Rates(*steps)),
        at,
        past,
        birthday=birthday,
    ),
    st.integers(-50_00, 600_00),
    st.integers(0, 100),
    lines,
    moments,
    st.builds(Past, st.integers(0, 30), st.booleans(), st.booleans()),
    st.sampled_from([None, "--02-29", "1990-11-22", "--01-01"]),
    st.tuples(st.integers(1, 300_00), st.integers(0, 20)),
)


@settings(max_examples=150)
@given(rules, occasions)
def test_bonuses_only_ever_add_and_one_multiplier_at_most(rules, order) -> None:
    found = best(rules, order)
    assert all(bonus.points > 0 for bonus in found)
    if order.sale.left_minor <= 0:
        assert found == []
    multiplied = [bonus for bonus in found if bonus.rule.kind in MULTIPLIERS]
    assert len(multiplied) <= 1
    for bonus in multiplied:
        assert bonus.points <= order.earned * (bonus.rule.params["factor"] - 100) / 100


@settings(max_examples=150)
@given(rules, occasions, st.randoms())
def test_the_order_in_which_rules_were_made_changes_no_guest_s_points(rules, order, chance) -> None:
    shuffled = chance.sample(rules, len(rules))
    assert sum(b.points for b in best(rules, order)) == sum(b.points for b in best(shuffled, order))


@settings(max_examples=100)
@given(rules, occasions, st.data())
def test_a_rule_more_never_means_points_less(rules, order, data) -> None:
    fewer = [one for one in rules if data.draw(st.booleans())]
    assert sum(b.points for b in best(fewer, order)) <= sum(b.points for b in best(rules, order))


@settings(max_examples=100)
@given(rules, occasions)
def test_a_whole_refund_takes_a_bonus_back_to_the_point(rules, order) -> None:
    points = order.earned + sum(bonus.points for bonus in best(rules, order))
    left = order.sale.left_minor
    if left > 0:
        assert take_back(Given(points, 0, left, 0), left).points == points
