"""`/privacy`: what is kept of guests, and why; `/privacy/data/<signed>`: what is kept of one."""

from __future__ import annotations

from datetime import timedelta

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from core.services import guests, privacy
from portal.frame import Frame

EXPORT_AGE = timedelta(minutes=15)


class PrivacyPage:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/privacy", self.show),
            Route("/privacy/data/{signed}", self.download),
        ]

    async def show(self, request: Request) -> Response:
        elsewhere = self._frame.desk.business.privacy_url
        if elsewhere:
            return RedirectResponse(elsewhere, 302)
        return self._frame.page(request, "privacy.html")

    async def download(self, request: Request) -> Response:
        signed = request.path_params["signed"]
        public_id = self._frame.desk.keys.unsign("export", signed, EXPORT_AGE)
        read = self._frame.desk.database.read
        guest_id = await read(guests.find, public_id) if public_id else None
        if guest_id is None:
            return self._frame.page(request, "gone.html", status=404, what="data")
        document = await read(privacy.export, guest_id)
        headers = {
            "Content-Disposition": 'attachment; filename="my-data.json"',
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Robots-Tag": "noindex",
        }
        body = orjson.dumps(document, option=orjson.OPT_INDENT_2)
        return Response(body, headers=headers, media_type="application/json")
