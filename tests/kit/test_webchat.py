"""Web chat on the contract kit: its page is the vendor, by the protocol of
docs/channels/webchat.md."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx2
import pytest

from core.contract import Link, Option, Outbound, Picture, Request
from core.keys import Keys
from core.testkit.provider import Provider
from core.testkit.running import SECRET_KEY


class WebChat:
    name = "webchat"
    signature = "cookie"
    calls = "*"
    statuses = ()
    secrets = (SECRET_KEY,)
    refusals: ClassVar = {}
    lacks: ClassVar = {
        "webhook": "its page writes to /chat/messages",
        "signature": "whoever has a cookie is that visitor, whoever has none is a new one",
        "signed_body": "a browser signs nothing",
        "unknown": "the page is ours, and knows no other kinds",
        "batches": "the page writes one message at a time",
        "receipts": "storing is sending: there is nobody to tell what became of it",
        "splitting": "the page shows a text of any length in one piece",
        "provider": "storing is sending: no API is called",
        "credentials": "there is no account anywhere",
        "asks_phone": "a browser has no number to share",
    }

    def __init__(self, provider: Provider) -> None:
        self.base = ""

    def table(self) -> str:
        return """
            module = "channels.webchat"
            messages_per_second = 1000
            visitors_per_second = 1000
        """

    def guest(self, number: int) -> str:
        return f"visitor-{number}"

    def says(self, guest: str, text: str, number: int) -> Any:
        return {"id": str(number), "kind": "text", "text": text, "guest": guest}

    def presses(self, guest: str, option: Option, number: int) -> Any:
        return {"id": str(number), "kind": "option", "value": option.value, "guest": guest}

    def broken(self, number: int) -> Any:
        return {"id": str(number), "kind": "text", "text": ["hi"]}

    def webhook(self, url: str, events: Sequence[Any]) -> Request:
        (event,) = events
        return self.signed(url, json.dumps(event).encode())

    def signed(self, url: str, body: bytes) -> Request:
        """What a browser sends; the visitor is told by the cookie."""
        self.base = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        headers = {"content-type": "application/json", "cookie": cookie(visitor(body))}
        return Request("POST", f"{self.base}/chat/messages", headers, {}, body)

    def seen(self, guest: str) -> Sequence[Outbound]:
        """The first event that the page gets: the conversation as it stands."""
        if not self.base:
            return []
        headers = {"cookie": cookie(guest)}
        with httpx2.stream("GET", f"{self.base}/chat/events", headers=headers) as stream:
            _, _, data = islice((line for line in stream.iter_lines() if line), 3)
        told = json.loads(data.removeprefix("data: "))
        return [as_outbound(message) for message in told if not message["mine"]]


def visitor(body: bytes) -> str:
    try:
        return str(json.loads(body)["guest"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return "nobody"


def cookie(guest: str) -> str:
    return f"malva_chat={Keys(SECRET_KEY).sign('plugin:webchat:webchat', guest)}"


def as_outbound(message: dict[str, Any]) -> Outbound:
    picture = message["picture"]
    return Outbound(
        text=message["text"],
        options=tuple(
            tuple(Option(o["value"], o["label"]) for o in row) for row in message["options"]
        ),
        links=tuple(Link(link["label"], link["url"]) for link in message["links"]),
        picture=Picture(b"", picture["alt"], picture["url"]) if picture else None,
    )


@pytest.mark.malva(vendor=WebChat)
def test_the_contract(channel_contract: Callable[[], None]) -> None:
    channel_contract()
