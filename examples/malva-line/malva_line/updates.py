"""What LINE's webhook events mean:
https://developers.line.biz/en/reference/messaging-api/#webhook-event-objects"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import malva
from malva import Inbound

_START = re.compile(r"(?i)start ([\w-]{1,64})", re.ASCII)
"""What a join link fills in."""


def understand(event: Mapping[str, Any]) -> Inbound | None:
    """What a guest did; None for anything else: other kinds, groups, and chats that another module
    answers (`standby`)."""
    source = event.get("source") or {}
    content = _content(event)
    if content is None or source.get("type") != "user" or event.get("mode") == "standby":
        return None
    return Inbound(
        event_id=str(event["webhookEventId"]),
        sender=malva.Sender(_text(source["userId"])),
        content=content,
        sent_at=datetime.fromtimestamp(event["timestamp"] // 1000, UTC),
    )


def _content(event: Mapping[str, Any]) -> malva.Content | None:
    match event["type"]:
        case "message":
            kind = event["message"]["type"]
            if kind != "text":
                return malva.Unsupported(str(kind))
            text = _text(event["message"]["text"])
            started = _START.fullmatch(text.strip())
            return malva.Started(started[1]) if started else malva.Said(text)
        case "postback":
            return malva.Chose(_text(event["postback"]["data"]))
        case "follow":
            return malva.Started()
        case "unfollow":
            return malva.Left()
    return None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value.encode("utf-8", "replace").decode()  # no half surrogates, which can't be stored
