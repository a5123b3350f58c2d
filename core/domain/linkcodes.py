"""The code that connects another messenger: eight characters, told apart when read aloud.

It always has a digit and a letter, so that it is never taken for a name or a phone number. 32
characters in eight places leave a guesser one chance in some 10**12, for ten minutes.
"""

from __future__ import annotations

import re
from collections.abc import Callable

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without I, O, 0 and 1."""
LENGTH = 8
DEEP_LINK = "link_"
"""`link_<code>` in a deep link's payload."""

_CODE = re.compile(rf"([{ALPHABET}]{{4}})[ -]?([{ALPHABET}]{{4}})")


def new(choose: Callable[[str], str]) -> str:
    """A code; `choose` picks one character of a text by chance."""
    while True:
        code = "".join(choose(ALPHABET) for _ in range(LENGTH))
        if read(code):
            return code


def read(text: str) -> str | None:
    """The code that was typed, in whichever case, with a space or a dash or none; None for what
    is none."""
    found = _CODE.fullmatch(text.strip().upper()) if len(text) < 100 else None
    if found is None:
        return None
    code = found[1] + found[2]
    return code if any(map(str.isdigit, code)) and any(map(str.isalpha, code)) else None


def shown(code: str) -> str:
    """`K7QM4XPD` as it is shown: `K7QM-4XPD`."""
    return f"{code[:4]}-{code[4:]}"


def linked(payload: str | None) -> str | None:
    """The code in a deep link's payload."""
    if not payload or not payload.startswith(DEEP_LINK):
        return None
    return read(payload.removeprefix(DEEP_LINK))
