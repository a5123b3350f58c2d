"""A visitor of the web chat whom scripts (tests/support/dialogs.py) can be played with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import httpx2

from channels.webchat import WebChat
from tests.end_to_end.around import Visitor, eventually
from tests.support.dialogs import Heard, all_is_said
from tests.support.running import Running

PAYLOAD = 'data-payload="'


class WebChatChat:
    """`tests.support.dialogs.Chat` of a visitor, by the web chat's protocol."""

    capabilities = WebChat.capabilities
    speaks_first = None

    def __init__(self, malva: Running, language: str) -> None:
        self.malva = malva
        self.database = malva.database
        self.visitor = Visitor(malva.url, language)
        self.seen = 0

    async def start(self, payload: str) -> None:
        self._do("start", payload=payload)

    async def follow(self, link: str) -> None:
        """Opens a link; the page's script starts with what the page says."""
        address = urlsplit(link)
        page = self.visitor.http.get(f"{address.path}?{address.query}").text
        await self.start(unescape(page.partition(PAYLOAD)[2].partition('"')[0]))

    async def say(self, text: str) -> None:
        self._do("text", text=text)

    async def press(self, label: str) -> None:
        shown = [
            option["value"]
            for message in self.history()
            for row in message["options"]
            for option in row
            if option["label"] == label
        ]
        await self.old(shown[-1])

    async def old(self, value: str) -> None:
        self._do("option", value=value)

    async def share(self, phone: str, own: bool) -> None:
        raise NotImplementedError("web chat shares no numbers")

    async def send(self, what: str) -> None:
        raise NotImplementedError("web chat takes text alone")

    async def leave(self) -> None:
        raise NotImplementedError("nobody can block the web chat")

    come_back = leave

    async def heard(self) -> Sequence[Heard]:
        history = self.history()
        if history and history[-1]["id"] < self.seen:  # erased: it has begun anew
            self.seen = 0
        new = [one for one in history if one["id"] > self.seen and not one["mine"]]
        self.seen = max([self.seen, *(one["id"] for one in new)])
        return [_heard(one) for one in new]

    def history(self) -> list[dict[str, Any]]:
        with self.visitor.http.stream("GET", "/chat/events", timeout=httpx2.Timeout(5)) as stream:
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    return json.loads(line.removeprefix("data: "))
        return []

    def _do(self, kind: str, **content: str) -> None:
        assert self.visitor.send(kind, **content).status_code == 200
        eventually(lambda: all_is_said(self.database))


def _heard(message: dict[str, Any]) -> Heard:
    return Heard(
        text=message["text"],
        options=tuple(option["label"] for row in message["options"] for option in row),
        links=tuple(link["label"] for link in message["links"]),
        card=message["picture"] is not None,
    )
