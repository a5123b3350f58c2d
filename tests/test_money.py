"""Money: exact both ways, and refused rather than guessed."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.money import exponent, nearest_minor, to_major, to_minor


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("85.50", "RSD", 8550),
        ("85.5", "RSD", 8550),
        ("0", "RSD", 0),
        ("-12.30", "EUR", -1230),
        ("0.1", "EUR", 10),
        ("1500", "JPY", 1500),
        ("1.234", "KWD", 1234),
        ("1.0000", "EUR", 100),  # as Octopos writes it: nothing is lost
        (Decimal("85.5"), "RSD", 8550),
        (Decimal("1E+3"), "RSD", 100000),
        ("999999999.99", "RSD", 99999999999),
    ],
)
def test_major_units_become_whole_minor_ones(text, currency, minor):
    assert to_minor(text, currency) == minor


# fmt: off
NO_AMOUNTS = [
    "", " ", "1,50", "1e3", "NaN", "Infinity", "-", "+5", ".5", "5.", " 5", "5 ", "٥", "1_000",
    "0x10", "5\n", "--5", "1.2.3", "85.505", "0.001", "1000000000.01", "9" * 30, "0." + "1" * 400,
    Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity"), Decimal("1E+99"), Decimal("1E-99"),
    Decimal("1E-999999"), Decimal("0.005"), Decimal("1." + "1" * 50),
]
# fmt: on


@pytest.mark.parametrize("text", NO_AMOUNTS)
def test_what_is_no_plain_amount_is_refused_in_words(text):
    with pytest.raises(ValueError, match="amount"):
        to_minor(text, "RSD")


@pytest.mark.parametrize("currency", ["", "rsd", "RS", "RSDX", "ЕВР", "R D"])
def test_a_currency_is_three_capital_letters(currency):
    with pytest.raises(ValueError, match="currency"):
        to_minor("1", currency)


def test_the_dinar_has_its_para_whatever_babel_thinks():
    assert exponent("RSD") == 2


@given(st.integers(-(10**11), 10**11), st.sampled_from(["RSD", "JPY", "KWD", "CLF"]))
def test_there_and_back_is_the_same(minor, currency):
    minor = minor // 1000  # within what an amount may be, in each of them
    assert to_minor(to_major(minor, currency), currency) == minor


def test_minor_units_as_text():
    assert to_major(-5, "RSD") == "-0.05"
    assert to_major(123456, "RSD") == "1234.56"
    assert to_major(1500, "JPY") == "1500"


def test_a_price_that_is_only_read_is_rounded():
    assert nearest_minor(Decimal("33.335"), "RSD") == 3334
