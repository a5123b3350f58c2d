"""Which cards stand out among those that an employee fills by hand."""

from hypothesis import given
from hypothesis import strategies as st

from core.domain.feeding import AMONG, FACTOR, TIMES, Fed, standing_out


def fed(*points: int, times: int = TIMES) -> list[int]:
    """The points of the cards that stand out."""
    cards = [Fed(number, times, of_one) for number, of_one in enumerate(points)]
    return [card.points for card in standing_out(cards)]


def test_a_card_that_gets_far_more_than_the_others():
    assert fed(4_000, 250, 240, 230, 100) == [4_000]


def test_friends_who_feed_each_other_s_cards_stand_out_together():
    assert fed(4_000, 3_900, 3_800, 250, 100) == [4_000, 3_900, 3_800]


def test_regulars_are_never_alone():
    assert fed(900, 850, 700, 650, 400, 300) == []


def test_the_only_cards_that_are_filled_by_hand_at_all():
    assert fed(500) == [500]
    assert fed(0) == []


def test_a_few_purchases_are_nothing_to_speak_of():
    assert fed(50_000, 10, 10, 10, times=TIMES - 1) == []


@given(st.lists(st.builds(Fed, st.integers(), st.integers(1, 40), st.integers(0, 10**6))))
def test_those_that_stand_out_are_few_and_far_above_the_rest(cards):
    found = standing_out(cards)
    assert len(found) <= AMONG
    rest = sorted((card.points for card in cards), reverse=True)[AMONG:]
    for card in found:
        assert card.times >= TIMES
        assert all(card.points >= FACTOR * points for points in rest)
