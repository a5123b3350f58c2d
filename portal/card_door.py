"""`/card`: the live card for whoever opens it inside their messenger, as a Telegram Mini App.

The messenger gives the page's script its signed word who looks. The script hands that on by POST,
and goes on to the guest's own `/card/<token>`.
"""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

import malva
from core.i18n import N_, words
from core.services import cards
from portal.card import FRAMED_BY, PRIVATE
from portal.frame import Frame
from portal.scripts import own_site, read_object, says_json

TOO_OLD = N_("This page has been open for too long. Close it and open your card again.")
NO_CARD = N_(
    "You don't have a card yet. Close this page and write “start” to us: it takes a minute."
)


class CardDoor:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[BaseRoute]:
        return [Route("/card", self.show), Route("/card", self.enter, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        return self._frame.page(request, "card_door.html", framed_by=FRAMED_BY, headers=PRIVATE)

    async def enter(self, request: Request) -> Response:
        """`{"data": what the messenger gave}` → 200 `{"card": address}`; else `said`: 403 for what
        is not the messenger's word, or too old, 404 for whoever has no card yet."""
        if not (own_site(request, self._frame.gateway.public_url) and says_json(request)):
            return JSONResponse({}, HTTPStatus.FORBIDDEN, PRIVATE)
        try:
            data = (await read_object(request)).get("data")
        except ValueError:
            return JSONResponse({}, HTTPStatus.BAD_REQUEST, PRIVATE)
        if not isinstance(data, str):
            return JSONResponse({}, HTTPStatus.BAD_REQUEST, PRIVATE)
        found = self._viewer(data)
        if found is None:
            return self._said(TOO_OLD, self._frame.language(request), HTTPStatus.FORBIDDEN)
        channel, viewer = found
        desk = self._frame.desk
        token = await desk.database.read(cards.token_at, channel, viewer.address, desk.keys)
        if token is None:
            return self._said(NO_CARD, viewer.language, HTTPStatus.NOT_FOUND)
        return JSONResponse({"card": f"/card/{token}"}, headers=PRIVATE)

    def _viewer(self, data: str) -> tuple[str, malva.Sender] | None:
        """Who looks, and on which of the channels."""
        for name, channel in self._frame.desk.channels.items():
            if isinstance(channel, malva.OpensPages) and (viewer := channel.viewer(data)):
                return name, viewer
        return None

    def _said(self, text: str, language: str | None, status: HTTPStatus) -> Response:
        return JSONResponse({"said": words(language).text(text)}, status, PRIVATE)
