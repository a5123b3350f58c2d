"""`/pictures/<id>`: pictures that the business brought, for everybody who sees its rewards.

What an address shows never changes (core/services/photos.py), so it may be kept for ever.
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from core.services import photos
from portal.frame import Frame

_ID = re.compile(r"[0-7][0-9a-f]{15}", re.ASCII)
_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


def address(picture_id: int) -> str:
    """Where a picture is; of this site, without its name."""
    return f"/pictures/{picture_id:016x}"


class Pictures:
    def __init__(self, frame: Frame) -> None:
        self._database = frame.desk.database

    def routes(self) -> list[BaseRoute]:
        return [Route("/pictures/{id}", self.show)]

    async def show(self, request: Request) -> Response:
        named = request.path_params["id"]
        photo = None
        if _ID.fullmatch(named):
            photo = await self._database.read(photos.shown, int(named, 16))
        if photo is None:
            return PlainTextResponse("no such picture", 404, {"Cache-Control": "no-store"})
        return Response(photo.content, headers=_HEADERS, media_type=photo.type)
