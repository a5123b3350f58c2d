"""How a message looks on WhatsApp: https://www.twilio.com/docs/whatsapp/api

Buttons are content: a wording that Twilio knows by a SID, made once. What differs from guest to
guest (the text, a name) is a variable of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import malva
from malva import Option, Outbound

TEXT, CAPTION, BODY = 1600, 1024, 1024
"""Characters of a message, of a picture's caption, of a text above buttons."""
QUICK_REPLIES, QUICK_REPLY = 3, 20
"""So many buttons of so many characters: https://www.twilio.com/docs/content/twilio-quick-reply"""
LIST_ITEMS, LIST_ITEM = 10, 24
"""https://www.twilio.com/docs/content/twiliolist-picker"""
CHOOSE = malva.N_("Choose")
"""What a list is opened by."""
NOTHING = "–"
"""Twilio takes no empty variable."""


@dataclass(frozen=True, slots=True)
class Content:
    """Buttons, and what is said above them. `document` is what Twilio is to know under a SID;
    `key` tells one wording from another."""

    document: Mapping[str, Any]
    variables: Mapping[str, str]

    @property
    def key(self) -> str:
        known = json.dumps(self.document, sort_keys=True)
        return "content:" + hashlib.sha256(known.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Part:
    """One message of Twilio's. `options` are for it to show, natively or as a numbered list."""

    text: str
    media: str = ""
    options: tuple[Option, ...] = ()


def parts(message: Outbound) -> list[Part]:
    """What shows the message, in order: a picture stands alone, as buttons can't have one."""
    options = tuple(option for row in message.options for option in row)
    links = "\n".join(f"{link.label}: {link.url}" for link in message.links)
    if message.picture is None:
        return _said("\n\n".join(filter(None, [message.text, links])), options)
    caption, *rest = malva.split_text(message.text, CAPTION)
    below = "\n\n".join(filter(None, [*rest, links]))
    if options and not below:
        below = message.picture.alt
    picture = Part(caption, media=message.picture.url)
    return [picture, *(_said(below, options) if below else [])]


def _said(text: str, options: tuple[Option, ...]) -> list[Part]:
    """The options stand below the last part."""
    *some, last = malva.split_text(text, BODY if options else TEXT)
    return [*(Part(one) for one in some), Part(last, options=options)]


def content(part: Part, language: str, choose: str) -> Content | None:
    """The buttons of a part; None where they don't fit into any. `choose` opens a list."""
    longest = max((len(option.label) for option in part.options), default=0)
    labels = [
        f"{{{{{number}}}}}" if option.personal else option.label
        for number, option in enumerate(part.options, 2)
    ]
    if not part.options:
        return None
    if len(labels) <= QUICK_REPLIES and longest <= QUICK_REPLY:
        shown = _quick_reply(part.options, labels)
    elif len(labels) <= LIST_ITEMS and longest <= LIST_ITEM:
        shown = _list_picker(part.options, labels, choose)
    else:
        return None
    personal = {str(n): o.label for n, o in enumerate(part.options, 2) if o.personal}
    document = {
        "friendly_name": "malva " + " · ".join(labels)[:60],
        "language": language,
        "variables": {"1": "…", **dict.fromkeys(personal, "…")},
        "types": shown,
    }
    return Content(document, {"1": part.text, **personal})


def _quick_reply(options: Sequence[Option], labels: Sequence[str]) -> dict[str, Any]:
    actions = [
        {"type": "QUICK_REPLY", "title": label, "id": option.value}
        for option, label in zip(options, labels, strict=True)
    ]
    return {"twilio/quick-reply": {"body": "{{1}}", "actions": actions}}


def _list_picker(options: Sequence[Option], labels: Sequence[str], choose: str) -> dict[str, Any]:
    items = [
        {"item": label, "id": option.value} for option, label in zip(options, labels, strict=True)
    ]
    return {"twilio/list-picker": {"body": "{{1}}", "button": choose, "items": items}}


def numbered(part: Part) -> list[Part]:
    """The part with its options written out."""
    listed = malva.numbered(Outbound(text=part.text, options=(part.options,)))
    return [replace(part, text=text, options=()) for text in malva.split_text(listed.text, TEXT)]


def template_variables(message: Outbound) -> dict[str, str]:
    """A message's parts for an approved template: by their names, and by their place (`{{1}}` is
    the first). WhatsApp takes no line breaks in them."""
    clean = {name: " ".join(value.split()) or NOTHING for name, value in message.variables.items()}
    return clean | {str(number): value for number, value in enumerate(clean.values(), 1)}
