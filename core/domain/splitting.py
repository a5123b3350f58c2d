"""Cutting a text that is too long for one message."""

from __future__ import annotations

import unicodedata

_JOINER = "\u200d"
_LONGEST_CLUSTER = 32
"""Code points of what is seen as one character: no family of emoji has more."""


def split_text(text: str, limit: int) -> list[str]:
    """`text` in parts of at most `limit` characters: cut between lines, else between words, and
    only where a word alone is too long within it, but never within an emoji or under an accent.

    >>> split_text("one two three", 8)
    ['one two', 'three']
    """
    parts = []
    while len(text) > limit:
        end = _end_of_part(text, limit)
        parts.append(text[:end].rstrip())
        text = text[end:].lstrip()
    return [part for part in [*parts, text] if part] or [""]


def _end_of_part(text: str, limit: int) -> int:
    for gap in ("\n", " "):
        at = text.rfind(gap, limit // 2, limit + 1)
        if at > 0:
            return at
    for at in range(limit, max(limit - _LONGEST_CLUSTER, 0), -1):
        if not _belong_together(text, at):
            return at
    return limit


def _belong_together(text: str, at: int) -> bool:
    """Whether the characters before and after `at` are seen as one (UAX #29, the common cases)."""
    before, after = text[at - 1], text[at]
    if _is_flag_half(before) and _is_flag_half(after):
        halves = 0
        while halves < at and _is_flag_half(text[at - 1 - halves]):
            halves += 1
        return halves % 2 == 1
    return before == _JOINER or after == _JOINER or _is_mark(after)


def _is_mark(character: str) -> bool:
    """An accent, a variation selector, a skin tone, a tag of a flag."""
    tone = "\U0001f3fb" <= character <= "\U0001f3ff"
    tag = "\U000e0020" <= character <= "\U000e007f"
    return tone or tag or unicodedata.category(character) in ("Mn", "Mc", "Me")


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
