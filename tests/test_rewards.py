"""Rewards as one guest can have them: at their own cost, within limits, stock and window."""

import pytest
import sqlalchemy as sa

from core.services import rewards
from core.services.errors import Insufficient, NotAvailable, NotPossible, UnknownReward
from core.storage import tables
from tests.support.counter import Counter
from tests.support.shop import MINUTE, NOW

DAY = 24 * 60
"""In minutes."""


@pytest.fixture
def shop(tx):
    return Counter(tx)


@pytest.fixture
def ana(shop):
    return shop.collector(100)


def cost(shop: Counter, reward: int, points: int, minute: float = 0) -> None:
    rewards.set_cost(shop.tx, reward, points, NOW + minute * MINUTE)


# -- what can be picked ----------------------------------------------------------------------------


def test_offers_are_the_cheapest_first_with_what_is_missing(shop, ana):
    shop.reward("Dinner", 900)
    assert [(one.names["en"], one.missing) for one in shop.offers(ana).values()] == [
        ("Coffee", 0),
        ("Cake", 0),
        ("Dinner", 800),
    ]
    assert rewards.following(list(shop.offers(ana).values())).names == {"en": "Dinner"}


def test_what_is_held_is_missing(shop, ana):
    shop.pick(ana, shop.coffee)
    assert shop.offers(ana)["Cake"].missing == 40
    assert shop.offers(ana, minute=10)["Cake"].missing == 0


def test_a_guest_without_an_account_misses_it_all(shop):
    assert shop.offers(shop.guest())["Coffee"].missing == 40


def test_a_reward_is_offered_in_its_window_and_while_it_is_active(shop, ana):
    shop.reward("Autumn", 10, starts_at=NOW + MINUTE, ends_at=NOW + 2 * MINUTE)
    gone = shop.reward("Gone", 10, active=False)
    seen = ["Autumn" in shop.offers(ana, minute) for minute in (0, 1, 1.9, 2)]
    assert seen == [False, True, True, False]
    with pytest.raises(UnknownReward):
        shop.pick(ana, gone)


def test_notices_speak_of_what_is_offered_now(shop, ana):
    shop.reward("Autumn", 101, ends_at=NOW + MINUTE)
    programme = shop.cafe.programme_id
    for minute, following in ((0, {"next": {"names": {"en": "Autumn"}, "cost": 101}}), (1, {})):
        now = NOW + minute * MINUTE
        assert rewards.outlook(shop.tx, programme, 100, 100, now) == following


def test_another_programmes_rewards_are_not_offered(shop, ana):
    elsewhere = Counter(shop.tx, "kod-ane")
    with pytest.raises(UnknownReward):
        shop.pick(ana, elsewhere.coffee)


# -- limits and stock ------------------------------------------------------------------------------


def test_a_limit_counts_what_was_had_and_what_is_held(shop, ana):
    mug = shop.reward("Mug", 1, per_guest=2)
    shop.confirm(shop.pick(ana, mug).id)
    held = shop.pick(ana, mug)
    assert shop.offers(ana)["Mug"].left == 0
    with pytest.raises(NotAvailable):
        shop.pick(ana, mug)
    shop.cancel(held.id)
    assert shop.offers(ana)["Mug"].left == 1
    assert shop.offers(shop.collector(5, "Bora"))["Mug"].left == 2


def test_a_limit_counts_within_one_pick_too(shop, ana):
    with pytest.raises(NotAvailable):
        shop.pick(ana, *[shop.reward("Mug", 1, per_guest=2)] * 3)


def test_stock_is_held_by_whoever_picks_and_gone_when_confirmed(shop, ana):
    bora, mug = shop.collector(50, "Bora"), shop.reward("Mug", 1, stock=2)
    first = shop.pick(ana, mug, mug)
    assert shop.offers(bora)["Mug"].left == 0
    with pytest.raises(NotAvailable):
        shop.pick(bora, mug)
    shop.confirm(first.id)
    assert shop.tx.scalar(sa.select(tables.rewards.c.stock).filter_by(id=mug)) == 0
    with pytest.raises(NotAvailable):
        shop.pick(bora, mug, minute=20)


def test_what_is_not_redeemed_in_time_is_in_stock_again(shop, ana):
    mug = shop.reward("Mug", 1, stock=1)
    shop.pick(ana, mug)
    assert shop.pick(ana, mug, minute=10)


def test_a_returned_reward_is_in_stock_and_within_the_limit_again(shop, ana):
    mug = shop.reward("Mug", 1, stock=1, per_guest=1)
    picked = shop.pick(ana, mug)
    shop.confirm(picked.id)
    shop.order("o1", redemptions=(picked.id,))
    shop.refund("o1")
    assert shop.offers(ana)["Mug"].left == 1


# -- costs that change -----------------------------------------------------------------------------


def test_who_was_within_reach_keeps_the_old_cost_for_30_days(shop, ana):
    bora = shop.collector(99, "Bora")
    cost(shop, shop.cake, 150, minute=1)
    shop.give(bora, 1, minute=2)
    assert shop.offers(ana, minute=2)["Cake"].cost == 100
    assert shop.offers(bora, minute=2)["Cake"].cost == 150
    assert shop.pick(ana, minute=2).points == 100
    assert shop.offers(ana, minute=30 * DAY)["Cake"].cost == 100
    assert shop.offers(ana, minute=30 * DAY + 1)["Cake"].cost == 150


def test_the_old_cost_stays_theirs_with_less_on_the_account(shop, ana):
    cost(shop, shop.cake, 150, minute=1)
    shop.give(ana, -50, minute=2)
    assert (shop.offers(ana, 3)["Cake"].cost, shop.offers(ana, 3)["Cake"].missing) == (100, 50)


def test_of_several_old_costs_the_lowest_within_reach_counts(shop, ana):
    cost(shop, shop.cake, 120, minute=1)
    shop.give(ana, 20, minute=2)
    cost(shop, shop.cake, 200, minute=3)
    bora = shop.collector(0, "Bora")
    shop.give(bora, 130, minute=4)
    assert shop.offers(ana, minute=5)["Cake"].cost == 100
    assert shop.offers(bora, minute=5)["Cake"].cost == 200


def test_a_lower_cost_holds_for_everybody_at_once(shop, ana):
    cost(shop, shop.cake, 50)
    assert shop.offers(ana)["Cake"].cost == 50


def test_what_was_picked_keeps_its_cost(shop, ana):
    picked = shop.pick(ana)
    cost(shop, shop.cake, 30)
    assert shop.confirm(picked.id)["points"] == -100


def test_a_cost_is_one_point_at_least_and_the_same_one_is_no_change(shop):
    with pytest.raises(NotPossible):
        cost(shop, shop.cake, 0)
    with pytest.raises(LookupError):
        cost(shop, 999, 10)
    cost(shop, shop.cake, 100)
    assert shop.tx.scalar(sa.select(sa.func.count()).select_from(tables.reward_costs)) == 0


def test_too_little_for_the_new_cost_is_refused(shop):
    bora = shop.collector(120, "Bora")
    cost(shop, shop.cake, 300, minute=1)
    assert shop.pick(bora, minute=2).points == 100
    with pytest.raises(Insufficient):
        shop.pick(bora, minute=31 * DAY)
