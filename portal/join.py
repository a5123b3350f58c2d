"""`/`: how to join, cafe by cafe, on each messenger that is connected."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

import malva
from core.services import cafes
from portal.frame import Frame


@dataclass(frozen=True, slots=True)
class Way:
    """A way to join, by a messenger or by our own chat (`here`). `qr` is a data URL."""

    title: str
    here: bool
    link: str
    qr: str


class JoinPage:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self, path: str = "/") -> list[BaseRoute]:
        return [Route(path, self.show)]

    async def show(self, request: Request) -> Response:
        known = await self._frame.desk.database.read(cafes.everyone)
        places = [(cafe, await ways(self._frame, f"cafe_{cafe.slug}")) for cafe in known]
        return self._frame.page(request, "join.html", places=places)


async def ways(frame: Frame, payload: str) -> Sequence[Way]:
    """How to open a chat that brings `payload` along, on each messenger that makes such links."""
    found = []
    for name, channel in frame.desk.channels.items():
        link = channel.join_link(payload)
        if link is not None:
            here = link.startswith(f"{frame.gateway.public_url}/")
            qr = await data_url(frame.gateway, link)
            found.append(Way(channel.capabilities.title or name, here, link, qr))
    return found


async def data_url(gateway: malva.Gateway, text: str) -> str:
    """A QR code of `text` as a picture that stands in the page itself."""
    png = await gateway.qr_png(text)
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
