"""Money: decimal text in, whole minor units inside, decimal text out. Never a float."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

MAX_MAJOR = 10**9
"""More than any till has seen: a larger amount is a mistake."""
_PLAIN = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)

# ISO 4217, list one. Not Babel's figures: CLDR gives the dinar no para, because few are left.
# fmt: off
_NO_DECIMALS = frozenset((
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
    "VUV", "XAF", "XOF", "XPF",
))
_THREE_DECIMALS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))
# fmt: on
_FOUR_DECIMALS = frozenset(("CLF", "UYW"))


@lru_cache(maxsize=200)
def exponent(currency: str) -> int:
    """How many decimals `currency` has (ISO 4217); ValueError for what is no currency code."""
    if not _CURRENCY.fullmatch(currency):
        raise ValueError("a currency is three capital letters, such as RSD")
    if currency in _NO_DECIMALS:
        return 0
    if currency in _THREE_DECIMALS:
        return 3
    return 4 if currency in _FOUR_DECIMALS else 2


def to_minor(value: Decimal | str, currency: str) -> int:
    """Major units to whole minor ones, exactly: `to_minor("85.50", "RSD") == 8550`.

    ValueError, in words for whoever sent it, for what is no plain decimal number (`1e3`, `NaN`,
    `1,50`), has more decimals than the currency, or is too large to be meant.
    """
    places = exponent(currency)
    amount = _decimal(value)
    scaled = amount.scaleb(places)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"an amount in {currency} has at most {places} decimals")
    return int(scaled)


def nearest_minor(value: Decimal | str, currency: str) -> int:
    """`to_minor` for a price that is only kept for reading (each of three for 100): rounded."""
    scaled = _decimal(value).scaleb(exponent(currency))
    return int(scaled.to_integral_value(ROUND_HALF_UP))


def to_major(minor: int, currency: str) -> str:
    """Whole minor units as decimal text: `to_major(8550, "RSD") == "85.50"`."""
    places = exponent(currency)
    whole = str(abs(minor)).rjust(places + 1, "0")
    text = f"{whole[:-places]}.{whole[-places:]}" if places else whole
    return f"-{text}" if minor < 0 else text


def _decimal(value: Decimal | str) -> Decimal:
    if isinstance(value, str):
        if not _PLAIN.fullmatch(value):
            raise ValueError('an amount is plain decimal text, such as "85.50"')
        value = Decimal(value)
    elif not value.is_finite():
        raise ValueError("an amount is a number")
    if abs(value) > MAX_MAJOR:
        raise ValueError(f"an amount is {MAX_MAJOR:,} at most")
    return value
