"""`/media/<signed>`: a QR picture that a messenger's provider, or the web chat, fetches."""

from __future__ import annotations

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from core.domain.redeeming import GOOD_FOR, scanned
from core.services.desk import Desk
from portal.frame import Frame

PURPOSE = "media"
MAX_AGE = timedelta(minutes=2)
"""As long as a card's code may be shown, and some time to fetch it. A redemption's QR is good for
longer, and so is its picture."""


class Media:
    def __init__(self, frame: Frame) -> None:
        self._desk = frame.desk
        self._gateway = frame.gateway

    def routes(self) -> list[BaseRoute]:
        return [Route("/media/{signed}", self.show)]

    async def show(self, request: Request) -> Response:
        text = text_of(self._desk, request.path_params["signed"])
        if text is None:
            return PlainTextResponse("this picture is gone", 404, {"Cache-Control": "no-store"})
        headers = {
            "Cache-Control": f"private, max-age={int(MAX_AGE.total_seconds())}",
            "X-Content-Type-Options": "nosniff",
            "X-Robots-Tag": "noindex",
        }
        return Response(await self._gateway.qr_png(text), headers=headers, media_type="image/png")


def text_of(desk: Desk, name: str) -> str | None:
    """What the QR of `/media/<name>` says; None where we didn't sign it, or it is too old."""
    signed = name.removesuffix(".png")
    text = desk.keys.unsign(PURPOSE, signed, GOOD_FOR)
    if text is None or scanned(text):
        return text
    return desk.keys.unsign(PURPOSE, signed, MAX_AGE)
