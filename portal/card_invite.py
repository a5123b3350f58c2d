"""`/card/<token>/invitation`: what a guest sends to friends, asked for by the live card's script.

The guest's code is made when it is first wanted, so a link preview that opens the card makes none.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from core.domain.invitations import payload
from core.i18n import Words, words
from core.phrases import friends_came, invitation_promise
from core.services import invitations
from core.services.invitations import Invitation
from portal.frame import Frame
from portal.scripts import own_site

Headers = dict[str, str]


class CardInvite:
    def __init__(self, frame: Frame, headers: Headers) -> None:
        self._frame = frame
        self._headers = headers

    def routes(self) -> list[BaseRoute]:
        return [Route("/card/{token}/invitation", self.show, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        """`letter`, to be sent on; `promise` and `came`, lines for the guest. 404 for a link that
        is not ours, 403 for a page that is not."""
        desk, now = self._frame.desk, self._frame.gateway.now()
        if not own_site(request, self._frame.gateway.public_url):
            return JSONResponse({}, HTTPStatus.FORBIDDEN, self._headers)
        found = await desk.database.write(
            invitations.of_token, request.path_params["token"], desk.keys, now
        )
        if found is None:
            return JSONResponse({}, HTTPStatus.NOT_FOUND, self._headers)
        language, invitation = found
        return JSONResponse(self._in_words(invitation, words(language)), headers=self._headers)

    def _in_words(self, invitation: Invitation, w: Words) -> dict[str, Any]:
        terms = invitation.terms
        unit = terms.unit if terms else "points"
        yours, theirs = (terms.inviter_points, terms.friend_points) if terms else (0, 0)
        return {
            "letter": "\n".join([_greeting(theirs, unit, w), *self._links(invitation.code, w)]),
            "promise": list(invitation_promise(yours, theirs, unit, w)),
            "came": list(friends_came(invitation.friends, invitation.brought, unit, w)),
        }

    def _links(self, code: str, w: Words) -> list[str]:
        return [
            f"{w.text(channel.capabilities.title or name)}: {link}"
            for name, channel in self._frame.desk.channels.items()
            if (link := channel.join_link(payload(code)))
        ]


def _greeting(points: int, unit: str, w: Words) -> str:
    """What the friend reads first."""
    if not points:
        return w.text("I invite you for a coffee. Your card is a few taps away:")
    return w.text(
        "I invite you for a coffee: with your first order you get {points}.",
        points=w.points(points, unit),
    )
