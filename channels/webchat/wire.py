"""The chat's own protocol: what a visitor's request says, and a stored message as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import orjson

import malva

LONGEST_TEXT = 4000
LONGEST_OPTION = 64
_ID = re.compile(r"[\w-]{1,64}", re.ASCII)


def read_message(body: bytes) -> tuple[str, malva.Content]:
    """The visitor's own id of the message, and what they did; ValueError says what is wrong."""
    document = malva.parse_json(body)
    if not isinstance(document, dict):
        raise ValueError("a message is a JSON object")
    id_ = document.get("id")
    if not isinstance(id_, str) or not _ID.fullmatch(id_):
        raise ValueError('"id" is 1 to 64 of A-Z, a-z, 0-9, _ and -')
    return id_, _content(document)


def _content(document: dict[str, Any]) -> malva.Content:
    match document.get("kind"):
        case "start":
            return malva.Started(_text(document, "payload", LONGEST_OPTION) or None)
        case "text":
            said = _text(document, "text", LONGEST_TEXT)
            if not said.strip():
                raise ValueError('"text" is empty')
            return malva.Said(said)
        case "option":
            return malva.Chose(_text(document, "value", LONGEST_OPTION))
    raise ValueError('"kind" is start, text or option')


def _text(document: dict[str, Any], key: str, longest: int) -> str:
    """As it was written, but for what no database keeps: NULs and halves of surrogate pairs."""
    text = document.get(key, "")
    if not isinstance(text, str):
        raise ValueError(f'"{key}" is a text')
    if len(text) > longest:
        raise ValueError(f'"{key}" has more than {longest} characters')
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def as_json(stored: malva.StoredMessage, public_url: str) -> dict[str, Any]:
    """A message for the page. Our own addresses come without a host: the page may be open under
    another name of this server."""
    message, picture = stored.message, stored.message.picture
    return {
        "id": stored.id,
        "at": stored.at.isoformat(),
        "mine": stored.mine,
        "replaces": stored.replaces,
        "kind": message.kind,
        "language": message.language,
        "text": message.text,
        "menu": message.menu,
        "options": [[{"value": o.value, "label": o.label} for o in r] for r in message.options],
        "links": [
            {"label": link.label, "url": _own(link.url, public_url)} for link in message.links
        ],
        "picture": picture and {"url": _own(picture.url, public_url), "alt": picture.alt},
    }


def folded(messages: Iterable[malva.StoredMessage], most: int) -> list[malva.StoredMessage]:
    """The last `most` messages as they stand: of those that took each other's place the last one,
    in the first one's place."""
    places: dict[int, malva.StoredMessage] = {}
    for message in messages:
        places[message.replaces or message.id] = message
    return list(places.values())[-most:]


def event(name: str, id_: int, data: Any) -> bytes:
    """A server-sent event: https://html.spec.whatwg.org/multipage/server-sent-events.html"""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (id_, name.encode(), orjson.dumps(data))


def _own(url: str, public_url: str) -> str:
    return url.removeprefix(public_url) if url.startswith(f"{public_url}/") else url
