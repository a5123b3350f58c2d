"""JSON from outside."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, NoReturn


def parse_json(body: bytes | str) -> Any:
    """The document, its numbers with a point as `Decimal` (money never becomes a float).

    ValueError where it is no JSON in UTF-8, holds NaN or Infinity, or nests too deep.
    """
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")
