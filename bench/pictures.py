"""QR pictures: how many a second, beside what the qrcode package takes to find a code's best mask,
without drawing it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator

import qrcode
from qrcode.constants import ERROR_CORRECT_M

from bench.support.results import Result, compared
from core.pictures import draw

SECONDS = 2.0


def run() -> Iterator[Result]:
    yield compared(
        "QR pictures, beside their codes with a mask searched for",
        _per_second(draw),
        _per_second(_with_a_mask_searched_for),
        unit="pictures/s",
        goal=3.0,
    )


def _with_a_mask_searched_for(text: str) -> object:
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M)
    code.add_data(text)
    return code.get_matrix()


def _per_second(draw_one: Callable[[str], object]) -> float:
    """Each with a text that was never drawn before."""
    start = time.perf_counter()
    for number in itertools.count(1):
        draw_one(f"MALVA1.k3v9w2c8q1x7z5t4.{number:06}")
        if (spent := time.perf_counter() - start) > SECONDS:
            return number / spent
    raise AssertionError
