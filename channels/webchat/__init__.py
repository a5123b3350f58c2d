"""Web chat: a channel that is a page of our own at `/chat`; docs/channels/webchat.md.

Storing is sending: the outbox keeps the messages and the page reads them back, so this adapter has
no provider to call. What a guest does comes by the page's own requests (`traffic.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn
from urllib.parse import urlencode

from pydantic import Field, StringConstraints
from starlette.routing import BaseRoute

import malva
from channels.webchat.pages import Pages
from channels.webchat.traffic import Traffic
from channels.webchat.visitors import Visitors

CONTRACT = 1

Origin = Annotated[str, StringConstraints(pattern=r"^https://[A-Za-z0-9.-]+(:\d+)?$")]


class Settings(malva.Settings):
    """`embed_on`: the sites that may show the chat in a frame. The paces keep a script from
    filling the database; several guests may share one network address."""

    embed_on: tuple[Origin, ...] = ()
    messages_per_second: float = Field(default=5, gt=0)
    visitors_per_second: float = Field(default=5, gt=0)


@malva.hookimpl
def channel(settings: Settings, gateway: malva.Gateway) -> WebChat:
    return WebChat(gateway)


@malva.hookimpl
def pages(settings: Settings, gateway: malva.Gateway, services: Any) -> Sequence[BaseRoute]:
    visitors = Visitors(gateway, embedded=bool(settings.embed_on))
    traffic = Traffic(
        gateway,
        visitors,
        messages_per_second=settings.messages_per_second,
        visitors_per_second=settings.visitors_per_second,
    )
    return [*Pages(gateway, visitors, embed_on=settings.embed_on).routes(), *traffic.routes()]


class WebChat:
    capabilities = malva.Capabilities(
        title=malva.N_("Chat in the browser"),
        options=20,
        text_length=4000,
        caption_length=4000,
        edits=True,
        stores=True,
    )

    def __init__(self, gateway: malva.Gateway) -> None:
        self._gateway = gateway

    # -- receive -------------------------------------------------------------------------------

    def verify(self, request: malva.Request) -> NoReturn:
        raise malva.Refused("web chat has no webhook: its page writes to /chat/messages")

    def parse(self, request: malva.Request) -> Sequence[malva.Received]:
        return []

    async def acknowledge(self, event: malva.Received) -> None:
        """The answer to the page's own request is enough."""

    async def run(self) -> None:
        await asyncio.Event().wait()

    # -- render and send -----------------------------------------------------------------------

    def render_inline(self, message: malva.Outbound) -> tuple[bytes, str]:
        raise NotImplementedError("web chat has no inline replies")

    def join_link(self, payload: str) -> str | None:
        cafe = payload.removeprefix("cafe_")
        query = {"start": payload} if cafe == payload else {"cafe": cafe}
        return f"{self._gateway.public_url}/chat?{urlencode(query)}"

    async def send(self, delivery: malva.Delivery) -> malva.Sent:
        raise malva.SendError("web chat stores its messages, nothing is sent")

    async def check(self) -> Sequence[malva.Finding]:
        return [malva.Finding("MALVA-I211", "ok", "web chat needs no credentials")]
