"""A text that is too long for one message."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.domain.splitting import split_text

FAMILY = "👨\u200d👩\u200d👧\u200d👦"
FLAG = "🇷🇸"


@pytest.mark.parametrize(
    ("text", "limit", "parts"),
    [
        ("", 5, [""]),
        ("short", 5, ["short"]),
        ("one two three", 8, ["one two", "three"]),
        ("first line\nsecond line here", 20, ["first line", "second line here"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("one  \n\n  two", 6, ["one", "two"]),
        (f"aaaa{FAMILY}", 8, ["aaaa", FAMILY]),
        (f"aaa{FLAG}{FLAG}", 6, [f"aaa{FLAG}", FLAG]),
        ("aaa👍🏽", 4, ["aaa", "👍🏽"]),
        ("aaae\u0301", 4, ["aaa", "e\u0301"]),
        ("aaa❤\ufe0f", 4, ["aaa", "❤\ufe0f"]),
    ],
)
def test_it_is_cut_where_nobody_minds(text, limit, parts):
    assert split_text(text, limit) == parts


@settings(max_examples=200)
@given(st.text(st.sampled_from(f"ab \n{FAMILY}{FLAG}\u0301"), max_size=120), st.integers(1, 30))
def test_nothing_is_lost_and_no_part_is_too_long(text, limit):
    parts = split_text(text, limit)
    assert all(len(part) <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_a_long_text_takes_no_long_time():
    assert len(split_text(FLAG * 50_000 + "x " * 100_000, 4096)) > 70
