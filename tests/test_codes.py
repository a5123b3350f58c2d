"""The card's codes: RFC 6238 as its appendix has it, the series, the QR's text, typed digits."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.domain import codes

RFC_SECRET = b"12345678901234567890123456789012"  # RFC 6238, appendix B: 32 bytes for SHA-256
SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("unix_time", "eight_digits"),
    [
        (59, "46119246"),
        (1111111109, "68084774"),
        (1111111111, "67062674"),
        (1234567890, "91819424"),
        (2000000000, "90698825"),
        (20000000000, "77737706"),
    ],
)
def test_the_code_is_that_of_rfc_6238_cut_to_six_digits(unix_time: int, eight_digits: str) -> None:
    step = codes.step_at(datetime.fromtimestamp(unix_time, UTC))
    assert codes.code(RFC_SECRET, step) == eight_digits[-6:]


def test_a_step_lasts_thirty_seconds() -> None:
    start = datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC)
    step = codes.step_at(start)
    assert codes.step_start(step) == start
    assert codes.step_at(start.replace(second=59, microsecond=999_999)) == step
    assert codes.step_at(start.replace(minute=1, second=0)) == step + 1


def test_the_series_of_a_step_gives_other_codes_and_always_the_same() -> None:
    series = [codes.code(SECRET, 59_000_000, number) for number in range(20)]
    assert series == [codes.code(SECRET, 59_000_000, number) for number in range(20)]
    assert len(set(series)) == 20
    assert all(len(code) == 6 and code.isdigit() for code in series)


def test_a_card_shows_its_digits_in_two_groups() -> None:
    assert codes.shown("012345") == "012 345"


@pytest.mark.parametrize(
    "text", ["012345", "012 345", " 012-345\n", "0 1 2 3 4 5", "012\u00a0345", "012\u2013345"]
)
def test_typed_digits_may_have_spaces_and_dashes(text: str) -> None:
    assert codes.typed(text) == "012345"


@pytest.mark.parametrize("text", ["", "12345", "1234567", "12345a", "+12345", "١٢٣٤٥٦", "123.456"])
def test_what_is_not_six_digits_is_no_code(text: str) -> None:
    assert codes.typed(text) is None


def test_a_qr_says_whose_card_it_is_and_its_code() -> None:
    text = codes.qr_text("g_Ab-9", "012345")
    assert text == "MALVA1.g_Ab-9.012345"
    assert codes.scanned(f"\t{text}\r\n") == ("g_Ab-9", "012345")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "012345",
        "MALVA1.g1",
        "MALVA1..012345",
        "MALVA1.g1.12345",
        "MALVA1.g1.0123456",
        "MALVA1.g1.012 345",
        "MALVA1.g1.٠12345",
        "MALVA1.g 1.012345",
        "MALVA1.g1.012345.1",
        "malva1.g1.012345",
        "MALVA2.g1.012345",
        "https://example.org/MALVA1.g1.012345",
        "MALVA1." + "g" * 65 + ".012345",
    ],
)
def test_anything_else_is_no_card(text: str) -> None:
    assert codes.scanned(text) is None


@settings(max_examples=50)
@given(st.text())
def test_no_text_upsets_the_readers(text: str) -> None:
    scanned = codes.scanned(text)
    assert scanned is None or codes.qr_text(*scanned) == text.strip()
    digits = codes.typed(text)
    assert digits is None or len(digits) == 6
