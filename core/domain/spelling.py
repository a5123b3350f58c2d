"""One key for the spellings of a name, so that `Zeljko`, `Željko` and `Жељко` find each other.

A key is for comparing, never for reading. Letters become others one by one and what is left out is
never a beginning, so the beginning of a word has the beginning of the word's key. Letters of other
scripts than Latin and Cyrillic stay as they are.
"""

from __future__ import annotations

import re
import unicodedata

_CYRILLIC = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "ђ": "di", "е": "e", "ж": "z", "з": "z",
    "и": "i", "ј": "i", "к": "k", "л": "l", "љ": "li", "м": "m", "н": "n", "њ": "ni", "о": "o",
    "п": "p", "р": "r", "с": "s", "т": "t", "ћ": "ts", "у": "u", "ф": "f", "х": "k", "ц": "ts",
    "ч": "ts", "џ": "dz", "ш": "s", "щ": "sts", "ъ": "", "ы": "i", "ь": "", "э": "e", "ю": "iu",
    "я": "ia", "є": "ie", "і": "i",
}  # fmt: skip
_LATIN = {"c": "ts", "đ": "di", "j": "i", "q": "k", "w": "v", "x": "ks", "y": "i"}
_WITHOUT_DOTS_AND_STROKES = {"ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "ı": "i"}
_LETTERS = str.maketrans(_CYRILLIC | _LATIN | _WITHOUT_DOTS_AND_STROKES)
"""What is typed in more than one way has the same letters: č, ć, ч, ћ, ц as c, ch or ts; ж, ž as z
or zh; х as h or kh; й, я and љ with a j, y or i. (й, ё and all marked letters of Latin lose their
marks before.)"""

_BETWEEN_WORDS = re.compile(r"[\s\-\u2010-\u2015]+")
_APOSTROPHES = re.compile("['`\u2019\u02bc]")
_SOFTENING = re.compile("(?<=[sz])h")
_DOUBLED = re.compile(r"([a-z])\1+")

_IOTATED = re.compile("(?<![бвгдђжзјклљмнњпрстћфхцчџшщ])е")
_BARE = str.maketrans({"ё": "йо", "đ": "d", "ђ": "д"})


def name_key(name: str) -> str:
    """What is kept beside a name to find it by: each spelling of each word, after a space."""
    return "".join(f" {spelling}" for word in spellings(name) for spelling in word)


def spellings(text: str) -> list[list[str]]:
    """Of each word of a name, or of its beginning, the keys by which it may be found: one or two.
    None for what has no letters at all."""
    line = _APOSTROPHES.sub("", unicodedata.normalize("NFKC", text).casefold())
    found = (sorted({_key(word), _key(_otherwise(word))}) for word in _BETWEEN_WORDS.split(line))
    return [keys for keys in found if all(keys)]


def _otherwise(word: str) -> str:
    """As some write it: Елена with ye or je, Алёна with yo or jo, Đorđe with a mere d."""
    return _IOTATED.sub("йе", word).translate(_BARE)


def _key(word: str) -> str:
    letters = unicodedata.normalize("NFKD", word)
    plain = "".join(letter for letter in letters if unicodedata.category(letter) != "Mn")
    latin = _SOFTENING.sub("", plain.translate(_LETTERS)).replace("h", "k")
    return _DOUBLED.sub(r"\1", latin)
