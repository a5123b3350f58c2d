"""`/card/<token>/redemptions`: rewards that a guest picks on the live card, and their codes.

As with the card's own code, nothing of it is in a page that is opened or in its events: the page's
script asks for the QR by POST.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from core.domain.expiry import last_day
from core.i18n import N_, Words, words
from core.phrases import counted, name_in, why_out
from core.services import live_picks, redemptions
from core.services.errors import Insufficient
from core.services.redemptions import Redemption
from core.services.rewards import Offered
from core.services.standing import Account
from portal import pictures
from portal.frame import Frame
from portal.join import data_url
from portal.scripts import own_site, read_object, says_json

TOO_DEAR = N_("You don't have enough points for that now.")
NOT_NOW = N_("That can't be had right now.")
WHAT_BECAME = {
    "confirmed": N_("Redeemed. Enjoy it!"),
    "returned": N_("This was redeemed already."),
    "cancelled": N_("Cancelled: your points are free again."),
    "expired": N_("The time is up: your points are free again."),
}
_SECOND = timedelta(seconds=1)
Headers = dict[str, str]


class CardRewards:
    """Each answers 404 for a link that is not ours, 403 for a page that is not."""

    def __init__(self, frame: Frame, headers: Headers) -> None:
        self._frame = frame
        self._headers = headers

    def routes(self) -> list[BaseRoute]:
        many = "/card/{token}/redemptions"
        return [
            Route(many, self.pick, methods=["POST"]),
            Route(f"{many}/{{id}}/code", self.code, methods=["POST"]),
            Route(f"{many}/{{id}}/cancel", self.cancel, methods=["POST"]),
        ]

    async def pick(self, request: Request) -> Response:
        """`{"rewards": [id, …]}` → 201 as `code`; 409 with `said` where they can't be had."""
        if not (self._own(request) and says_json(request)):
            return self._answer({}, HTTPStatus.FORBIDDEN)
        try:
            ids = _ids(await read_object(request))
        except ValueError:
            return self._answer({}, HTTPStatus.BAD_REQUEST)
        desk, now = self._frame.desk, self._frame.gateway.now()
        token = request.path_params["token"]
        answer = await desk.database.write(live_picks.pick, token, ids, desk.keys, now)
        if answer is None:
            return self._answer({}, HTTPStatus.NOT_FOUND)
        if answer.picked is None:
            said = words(answer.language).text(
                TOO_DEAR if isinstance(answer.refusal, Insufficient) else NOT_NOW
            )
            return self._answer({"said": said}, HTTPStatus.CONFLICT)
        return self._answer(await self._shown(answer.picked, now), HTTPStatus.CREATED)

    async def code(self, request: Request) -> Response:
        """The QR (`qr` a picture, `text` what is in it), the typed code and the seconds that they
        are `good_for`; 410 with `status` and `said` once it is over."""
        if not self._own(request):
            return self._answer({}, HTTPStatus.FORBIDDEN)
        desk, now = self._frame.desk, self._frame.gateway.now()
        answer = await desk.database.read(live_picks.look, *_which(request), desk.keys)
        if answer is None or answer.picked is None:
            return self._answer({}, HTTPStatus.NOT_FOUND)
        if answer.picked.qr is None or answer.picked.expires_at <= now:
            return self._answer(_over(answer.picked, answer.language), HTTPStatus.GONE)
        return self._answer(await self._shown(answer.picked, now), HTTPStatus.OK)

    async def cancel(self, request: Request) -> Response:
        """The points are free again, or were already: as `code` says it then, with 200."""
        if not self._own(request):
            return self._answer({}, HTTPStatus.FORBIDDEN)
        desk, now = self._frame.desk, self._frame.gateway.now()
        answer = await desk.database.write(live_picks.cancel, *_which(request), desk.keys, now)
        if answer is None or answer.picked is None:
            return self._answer({}, HTTPStatus.NOT_FOUND)
        return self._answer(_over(answer.picked, answer.language), HTTPStatus.OK)

    def _own(self, request: Request) -> bool:
        return own_site(request, self._frame.gateway.public_url)

    def _answer(self, document: dict[str, Any], status: HTTPStatus) -> Response:
        return JSONResponse(document, status, self._headers)

    async def _shown(self, held: Redemption, now: datetime) -> dict[str, Any]:
        assert held.qr is not None
        return {
            "id": held.id,
            "code": held.code,
            "text": held.qr,
            "qr": await data_url(self._frame.gateway, held.qr),
            "good_for": (held.expires_at - now) / _SECOND,
        }


def _which(request: Request) -> tuple[str, str]:
    return request.path_params["token"], request.path_params["id"]


def _ids(sent: dict[str, Any]) -> list[int]:
    ids = sent.get("rewards")
    if not isinstance(ids, list) or not 1 <= len(ids) <= redemptions.MOST_REWARDS:
        raise ValueError("a list of rewards is wanted")
    if not all(type(id_) is int and 0 < id_ < 2**63 for id_ in ids):
        raise ValueError("rewards are ids")
    return ids


def _over(held: Redemption, language: str) -> dict[str, Any]:
    status = held.status if held.status in WHAT_BECAME else "expired"
    return {"id": held.id, "status": status, "said": words(language).text(WHAT_BECAME[status])}


# -- in words --------------------------------------------------------------------------------------


def in_words(account: Account, w: Words) -> dict[str, Any]:
    """What a programme's part of the page shows of its rewards. `note`: why one can't be picked;
    `progress` from 0 to 1 towards one that is still to be reached, else None."""
    unit = account.programme.unit
    return {
        "id": account.programme.programme_id,
        "available": account.available,
        "rewards": [_reward(offered, account, w) for offered in account.offers],
        "picked": [
            {
                "id": held.id,
                "names": counted([item.names for item in held.items], w),
                "points": w.points(held.points, unit),
            }
            for held in account.picked
        ],
        "expiring": _expiring(account, w),
    }


def _reward(offered: Offered, account: Account, w: Words) -> dict[str, Any]:
    note, progress = "", None
    if offered.why_out:
        note = why_out(offered.why_out, w)
    elif offered.missing:
        missing = w.points(offered.missing, account.programme.unit)
        note = w.text("{points} to go", points=missing)
        progress = max((offered.cost - offered.missing) / offered.cost, 0)
    return {
        "id": offered.id,
        "name": name_in(offered.names, w),
        "text": name_in(offered.texts, w),
        "cost": w.points(offered.cost, account.programme.unit),
        "points": offered.cost,
        "picture": "" if offered.picture_id is None else pictures.address(offered.picture_id),
        "note": note,
        "progress": progress,
    }


def _expiring(account: Account, w: Words) -> str:
    if account.expiring is None:
        return ""
    at, points = account.expiring
    day = w.date(last_day(at, account.programme.timezone or "UTC"))
    return w.text(
        "{points} can be used until {day}.",
        points=w.points(points, account.programme.unit),
        day=day,
    )
