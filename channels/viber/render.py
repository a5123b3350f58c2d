"""How a message looks on Viber: https://developers.viber.com/docs/tools/keyboards/

A chat shows one keyboard, the last that came; it stays until another does.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from viberbot.api.messages import PictureMessage, TextMessage

import malva
from malva import Link, Option, Outbound

TEXT, CAPTION = 7000, 512
"""Characters of a message, and of a picture's description."""
LARGEST_TEXT = 20_000
"""Bytes of a text as JSON: a whole request has 30 KB, its keyboard too."""
COLUMNS, ROWS = 6, 12
"""Of a keyboard, on a phone held upright."""
OPTIONS = 20

PRESSED = "malva:"
"""Before an option's value: a pressed button comes back as a text message of these words."""
SHARED = "malva-phone:"
"""Before whose number was asked for: https://developers.viber.com/docs/tools/keyboards/#buttons-parameters"""
SHARE_PHONE_SINCE = 3
"""The API's version on the guest's phone that knows this button."""

Rows = Sequence[Sequence[Option]]
Button = dict[str, Any]


def documents(message: Outbound, site: str, share: str | None) -> list[dict[str, Any]]:
    """What shows the message, in order, as send_message takes it less whom it is to; the keyboard
    is the last one's. `site` is the address that ours begin with; `share` comes back with the
    number that is asked for, None: it can't be asked for by a button."""
    buttons = _buttons(message, site, share)
    common: dict[str, Any] = {
        "keyboard": {"Type": "keyboard", "DefaultHeight": False, "Buttons": buttons}
        if buttons
        else None,
        "min_api_version": SHARE_PHONE_SINCE if message.ask_phone and share else None,
    }
    text = _text(message, site)
    if message.picture is None:
        *some, last = _said(text)
        return [*(_document(TextMessage(text=one)) for one in some), _text_with(last, common)]
    caption = malva.split_text(text, CAPTION)[0]
    rest = text[len(caption) :].strip()
    picture = {"media": message.picture.url, "text": caption}
    if not rest:
        return [_document(PictureMessage(**picture, **common))]
    *some, last = _said(rest)
    said = [_document(TextMessage(text=one)) for one in some]
    return [_document(PictureMessage(**picture)), *said, _text_with(last, common)]


def _text_with(text: str, common: dict[str, Any]) -> dict[str, Any]:
    return _document(TextMessage(text=text, **common))


def _document(message: Any) -> dict[str, Any]:
    return {name: value for name, value in message.to_dict().items() if value is not None}


def _said(text: str) -> list[str]:
    parts: list[str] = []
    for part in malva.split_text(text, TEXT):
        fits = len(json.dumps(part, ensure_ascii=False).encode(errors="replace")) <= LARGEST_TEXT
        parts += [part] if fits else malva.split_text(part, TEXT // 3)
    return parts


def _text(message: Outbound, site: str) -> str:
    """Links that are no buttons are written out."""
    plain = [
        f"{link.label}: {link.url}" for link in message.links if not _as_button(message, link, site)
    ]
    return "\n\n".join([message.text, *plain]).strip()


def _as_button(message: Outbound, link: Link, site: str) -> bool:
    """A pressed link comes back as a text of its own, which only an address of ours is known by;
    and for a link alone, or on a menu that stays, no keyboard is given up."""
    beside_options = bool(message.options) and not (message.menu or message.ask_phone)
    return beside_options and link.url.startswith(site)


def _buttons(message: Outbound, site: str, share: str | None) -> list[Button]:
    links = [link for link in message.links if _as_button(message, link, site)]
    asks = message.ask_phone if share else None
    room = ROWS - len(links) - bool(asks)
    return [
        *([_button("share-phone", f"{SHARED}{share}", asks)] if asks else []),
        *chain.from_iterable(_row(row) for row in _laid_out(message.options, room)),
        *(_button("open-url", link.url, link.label) for link in links),
    ]


def _laid_out(rows: Rows, room: int) -> Iterator[Sequence[Option]]:
    """Rows of two or three, which fill the width: Viber would put the next button into a gap. Where
    they are too many, two stand side by side."""
    if len(rows) > room:
        rows = [list(chain.from_iterable(rows))]
    for row in rows:
        size = 3 if len(row) % 3 == 0 and len(rows) > 1 else 2
        yield from (row[at : at + size] for at in range(0, len(row), size))


def _row(row: Sequence[Option]) -> Iterator[Button]:
    for option in row:
        yield _button("reply", f"{PRESSED}{option.value}", option.label, COLUMNS // len(row))


def _button(action: str, body: str, label: str, columns: int = COLUMNS) -> Button:
    """`Silent`: what is pressed is not shown as something that the guest wrote. A button's text is
    HTML, so what stands in a name is escaped."""
    return {
        "Columns": columns,
        "Rows": 1,
        "ActionType": action,
        "ActionBody": body,
        "Text": html.escape(label, quote=False),
        "Silent": True,
    }
