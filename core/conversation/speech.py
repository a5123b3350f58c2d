"""Reading what was typed as what was meant, and showing options where a channel shows too few."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from functools import lru_cache

from core.contract import Capabilities, Outbound
from core.domain.numbering import numbered

LONGEST_LABEL = 100
"""Characters of a text that may be an option's own or a word that is understood everywhere."""

_UNDECOMPOSED = str.maketrans({"đ": "dj", "ł": "l", "ø": "o"})

_SAID = {
    "menu": (
        *("menu", "start", "hi", "hello", "hey"),
        *("meni", "zdravo", "ćao", "pozdrav", "dobar dan", "počni", "мени", "здраво", "ћао"),
        *("меню", "старт", "начать", "привет", "здравствуйте", "добрый день"),
    ),
    "help": ("help", "pomoć", "upomoć", "помоћ", "помощь", "справка"),
    "stop": ("stop", "unsubscribe", "odjava", "odjavi me", "стоп", "отписаться", "отписка"),
}


@lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """What counts of a typed option: neither case nor accents, emoji, punctuation, spaces around.

    >>> folded("☕ My  CARD "), folded("preskoci") == folded("Preskoči")
    ('my card', True)
    """
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_UNDECOMPOSED))
    letters = (c if c.isalnum() else "" if unicodedata.combining(c) else " " for c in plain)
    return " ".join("".join(letters).split())


_COMMANDS = {folded(word): command for command, said in _SAID.items() for word in said}


def command(text: str) -> str | None:
    """`menu`, `help` or `stop`, in whichever of our languages it was said, with a slash or not."""
    if len(text) > LONGEST_LABEL:
        return None
    if text.strip() == "?":
        return "help"
    said = text.split("@", 1)[0] if text.startswith("/") else text  # /start@bife_bot
    return _COMMANDS.get(folded(said))


def picked(text: str, shown: Outbound, capabilities: Capabilities) -> str | None:
    """The value of the option of `shown` that `text` names: by its label, or by its number where
    they are numbered."""
    if len(text) > LONGEST_LABEL:
        return None
    options = [option for row in shown.options for option in row]
    said = folded(text)
    if not said:
        return None
    in_numbers = capabilities.numbers or len(options) > capabilities.options
    if in_numbers and said.isascii() and said.isdigit():
        number = int(said)
        return options[number - 1].value if 1 <= number <= len(options) else None
    return next((option.value for option in options if folded(option.label) == said), None)


def presented(message: Outbound, capabilities: Capabilities) -> Outbound:
    """`message` as the channel can show it: options that are too many become a numbered list."""
    count = sum(len(row) for row in message.options)
    return message if count <= capabilities.options else numbered(message)


def noted(note: str, message: Outbound) -> Outbound:
    """`message` with something said before it."""
    return replace(message, text=f"{note}\n\n{message.text}")
