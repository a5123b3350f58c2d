"""What the Bot API accepts: entities, keyboards, addresses, pictures, parameters.

Limits: https://core.telegram.org/bots/api. The wording of errors, which the documentation leaves
open, follows the vendor's own server (github.com/tdlib/telegram-bot-api, github.com/tdlib/td).
"""

from __future__ import annotations

import html
import json
import re
import struct
from functools import cache
from typing import Any
from urllib.parse import urlsplit

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
CALLBACK_DATA_BYTES = 64

ENTITY_OF_TAG = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "a": "text_link",
    "tg-emoji": "custom_emoji",
}
REFERENCE = re.compile(r"&(?:lt|gt|amp|quot|#\d+|#x[0-9a-fA-F]+);?")
ATTRIBUTE = re.compile(r"""\s+([^\s=>/"']+)(?:\s*=\s*("[^"]*"|'[^']*'|[A-Za-z0-9.-]+))?""")
START_TAG = re.compile(rf"<([^\s>]*)((?:{ATTRIBUTE.pattern})*)\s*>")
END_TAG = re.compile(r"</([^\s>]*)\s*>")


class ApiError(Exception):
    """An answer with `ok: false`."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


def bad_request(reason: str) -> ApiError:
    """400. A reason begins with a small letter, unless it is a code like BUTTON_DATA_INVALID."""
    if not re.match(r".[A-Z_]", reason):
        reason = reason[0].lower() + reason[1:]
    return ApiError(400, f"Bad Request: {reason}")


def utf16_length(text: str) -> int:
    """Entity offsets and lengths count UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


class HtmlReader:
    """parse_mode=HTML: https://core.telegram.org/bots/api#html-style"""

    def __init__(self, source: str) -> None:
        self.source = source
        self.text = ""
        self.entities: list[dict[str, Any]] = []
        self.open: list[tuple[str, dict[str, str], int]] = []

    def read(self) -> tuple[str, list[dict[str, Any]]]:
        at = 0
        while at < len(self.source):
            read = self.read_tag if self.source[at] == "<" else self.read_character
            at = read(at)
        if self.open:
            name = self.open[-1][0]
            raise self.wrong(f'Can\'t find end tag corresponding to start tag "{name}"')
        return self.text, sorted(self.entities, key=lambda e: (e["offset"], -e["length"]))

    def read_character(self, at: int) -> int:
        if reference := REFERENCE.match(self.source, at):
            self.text += html.unescape(reference[0])
            return reference.end()
        self.text += self.source[at]
        return at + 1

    def read_tag(self, at: int) -> int:
        if self.source.startswith("</", at):
            return self.read_end_tag(at)
        written = re.compile(r"[^\s>]*").match(self.source, at + 1)
        if written is None or written.end() == len(self.source):
            raise self.wrong(f"Unclosed start tag at byte offset {self.byte(at)}")
        name = written[0].lower()
        if name not in ENTITY_OF_TAG:
            raise self.wrong(f'Unsupported start tag "{name}" at byte offset {self.byte(at)}')
        tag = START_TAG.match(self.source, at)
        if tag is None:
            raise self.wrong(f"Unclosed start tag at byte offset {self.byte(at)}")
        found = ATTRIBUTE.findall(tag[2])
        attributes = {key.lower(): html.unescape(value.strip("\"'")) for key, value in found}
        if name == "span" and attributes.get("class") != "tg-spoiler":
            where = self.byte(at)
            raise self.wrong(f'Tag "span" must have class "tg-spoiler" at byte offset {where}')
        self.open.append((name, attributes, len(self.text)))
        return tag.end()

    def read_end_tag(self, at: int) -> int:
        if not self.open:
            raise self.wrong(f"Unexpected end tag at byte offset {self.byte(at)}")
        tag = END_TAG.match(self.source, at)
        if tag is None:
            raise self.wrong(f"Unclosed end tag at byte offset {self.byte(at)}")
        name, attributes, start = self.open[-1]
        if tag[1] and tag[1].lower() != name:
            where, found = self.byte(at), tag[1].lower()
            expected = f'expected "</{name}>", found "</{found}>"'
            raise self.wrong(f"Unmatched end tag at byte offset {where}, {expected}")
        self.open.pop()
        self.close(name, attributes, start)
        return tag.end()

    def close(self, name: str, attributes: dict[str, str], start: int) -> None:
        covered = self.text[start:]
        if not covered:
            return
        entity: dict[str, Any] = {
            "type": ENTITY_OF_TAG[name],
            "offset": utf16_length(self.text[:start]),
            "length": utf16_length(covered),
        }
        if name == "a":
            entity["url"] = attributes.get("href") or covered
            if url_problem(entity["url"]):
                return  # the server keeps the text and quietly forgets such a link
        if name == "tg-emoji":
            entity["custom_emoji_id"] = attributes.get("emoji-id", "")
        self.entities.append(entity)

    def byte(self, at: int) -> int:
        return len(self.source[:at].encode())

    def wrong(self, reason: str) -> ApiError:
        return bad_request(f"can't parse entities: {reason}")


def read_text(
    params: dict[str, Any], name: str, limit: int, *, needed: bool = False
) -> tuple[str, list[dict[str, Any]]]:
    """A text or caption with its entities, as the guest gets it (surrounding space is cut off)."""
    source = params.get(name, "")
    mode = params.get("parse_mode", "").lower()
    if needed and not source:
        raise bad_request("message text is empty")
    if mode == "html":
        text, entities = HtmlReader(source).read()
    elif mode in {"", "none"}:
        listed = params.get("entities" if name == "text" else "caption_entities") or "[]"
        text, entities = source, json.loads(listed) if isinstance(listed, str) else listed
    else:
        raise bad_request(f"the simulator reads parse_mode HTML only, not {mode}")
    leading = utf16_length(text) - utf16_length(text.lstrip())
    for entity in entities:
        entity["offset"] = max(0, entity["offset"] - leading)
    text = text.strip()
    if needed and not text:
        raise bad_request("text must be non-empty")
    if len(text) > limit:
        what = "message" if name == "text" else "message caption"
        raise bad_request(f"{what} is too long")
    return text, entities


def url_problem(url: str, *, https_only: bool = False) -> str | None:
    """Why the server refuses a button's address; None where it takes it."""
    scheme = urlsplit(url).scheme.lower() if "://" in url else ""
    if scheme not in {"", "http", "https", "tg", "ton", "tonsite"}:
        return "Unsupported URL protocol"
    if https_only and scheme != "https":
        return "Only HTTPS links are allowed"
    if scheme in {"tg", "ton", "tonsite"}:
        return None
    host = urlsplit(url if scheme else f"http://{url}").hostname or ""
    if not host:
        return "URL host is empty"
    # No name without a dot: this is why a button to http://localhost never arrives.
    return None if "." in host or ":" in host else "Wrong HTTP URL"


def read_markup(raw: str, *, private: bool, inline_only: bool = False) -> dict[str, Any] | None:
    """A keyboard; None for none. https://core.telegram.org/bots/api#inlinekeyboardmarkup"""
    if not raw:
        return None
    try:
        markup = json.loads(raw)
    except ValueError:
        raise bad_request("can't parse reply keyboard markup JSON object") from None
    if not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    for kind in ("keyboard", "inline_keyboard"):
        rows = markup.get(kind) or []
        if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
            raise bad_request(f'field "{kind}" must be an Array of Arrays')
        for button in (button for row in rows for button in row):
            if kind == "keyboard":
                check_reply_button(button, private)
            else:
                check_inline_button(button, private)
    if inline_only and not markup.get("inline_keyboard") and len(markup.keys() & REPLY_KINDS) > 0:
        raise bad_request("inline keyboard expected")
    shown = markup.get("inline_keyboard") or markup.keys() & REPLY_KINDS
    return markup if shown else None


REPLY_KINDS = {"keyboard", "remove_keyboard", "force_reply"}


def check_reply_button(button: Any, private: bool) -> None:
    if isinstance(button, str):
        button = {"text": button}
    check_fields("KeyboardButton", button)
    if not button.get("text"):
        raise bad_request("keyboard button text must be non-empty")
    if button.get("request_contact") and not private:
        raise bad_request("phone number can be requested in private chats only")
    if button.get("request_location") and not private:
        raise bad_request("location can be requested in private chats only")
    if web_app := button.get("web_app"):
        check_web_app("Keyboard button", web_app["url"], private)


def check_inline_button(button: Any, private: bool) -> None:
    check_fields("InlineKeyboardButton", button)
    if not button.get("text"):
        raise bad_request("inline keyboard button text must be non-empty")
    if url := button.get("url"):
        if problem := url_problem(url):
            raise bad_request(f"inline keyboard button URL '{url}' is invalid: {problem}")
    elif data := button.get("callback_data"):
        if len(data.encode()) > CALLBACK_DATA_BYTES:
            raise bad_request("BUTTON_DATA_INVALID")
    elif web_app := button.get("web_app"):
        check_web_app("Inline keyboard button", web_app["url"], private)
    elif not button.keys() - {"text", "style", "icon_custom_emoji_id", "url", "callback_data"}:
        reason = "Text buttons are unallowed in the inline keyboard"
        raise bad_request(f"can't parse inline keyboard button: {reason}")


def check_web_app(what: str, url: str, private: bool) -> None:
    if not private:
        raise bad_request("BUTTON_TYPE_INVALID")
    if problem := url_problem(url, https_only=True):
        raise bad_request(f"{what} Web App URL '{url}' is invalid: {problem}")


def picture_size(data: bytes) -> tuple[int, int]:
    """Width and height; the server opens every photo, so what is none is refused."""
    if not data:
        raise bad_request("file must be non-empty")
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack(">II", data[16:24])
    elif data.startswith((b"\xff\xd8\xff", b"GIF8")) or data[8:12] == b"WEBP":
        width, height = 800, 800  # nothing here depends on these
    else:
        raise bad_request("IMAGE_PROCESS_FAILED")
    if width + height > 10000 or max(width, height) > 20 * min(width, height):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")  # sendPhoto: 10000 in all, ratio at most 20
    return width, height


@cache
def fields_of(kind: str) -> frozenset[str]:
    """The fields of a Bot API type, as aiogram knows them."""
    from aiogram import types

    return frozenset(getattr(types, kind).model_fields)


@cache
def parameters_of() -> dict[str, frozenset[str]]:
    """Every Bot API method, in small letters, with its parameters, as aiogram knows them."""
    from aiogram import methods

    found = (getattr(methods, name) for name in methods.__all__)
    known = [method for method in found if isinstance(getattr(method, "__api_method__", 0), str)]
    return {method.__api_method__.lower(): frozenset(method.model_fields) for method in known}


def check_fields(kind: str, value: Any) -> None:
    """Stricter than the vendor, who ignores what it doesn't know: here that is a slip of ours."""
    if not isinstance(value, dict):
        raise bad_request(f"{kind} must be an Object")
    if unknown := value.keys() - fields_of(kind):
        raise bad_request(f"the simulator knows no {kind} field {', '.join(sorted(unknown))}")


def check_parameters(method: str, given: set[str]) -> None:
    """As `check_fields`, for a method's parameters."""
    known = parameters_of().get(method.lower())
    if known is not None and (unknown := given - known):
        raise bad_request(f"the simulator knows no {method} parameter {', '.join(sorted(unknown))}")
