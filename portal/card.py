"""`/card/<token>`: the guest's live card. Its link is signed and revocable, and needs no login.

Opening it leases no code, because link previews open links too: the page's script asks for one by
POST, and again whenever it turns over. What happens to the guest meanwhile comes as events.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from core.domain import codes
from core.i18n import Words, words
from core.phrases import entry_text, held_of, name_in, signed
from core.services import cards, standing
from core.services.guests import Collecting
from core.services.history import Page, Told
from core.services.standing import Account, Standing
from portal import card_rewards
from portal.card_invite import CardInvite
from portal.card_rewards import CardRewards
from portal.forms import row_id
from portal.frame import Frame
from portal.join import data_url
from portal.scripts import own_site

ENTRIES = 8
EARLIER = 25
NOTICES = 5
HEARTBEAT = 15.0
FRAMED_BY = "'self' https://web.telegram.org"  # Telegram's web client shows a Mini App in a frame
PRIVATE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}
_SECOND = timedelta(seconds=1)


class CardPage:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/card/{token}", self.show),
            Route("/card/{token}/code", self.code, methods=["POST"]),
            Route("/card/{token}/events", self.events),
            Route("/card/{token}/entries", self.entries),
            *CardRewards(self._frame, PRIVATE).routes(),
            *CardInvite(self._frame, PRIVATE).routes(),
        ]

    async def show(self, request: Request) -> Response:
        found = await self._standing(request.path_params["token"])
        if found is None:
            return self._frame.page(request, "gone.html", status=404, headers=PRIVATE, what="card")
        return self._frame.page(
            request,
            "card.html",
            language=found.guest.language,
            framed_by=FRAMED_BY,
            headers=PRIVATE,
            name=found.guest.name,
            state=in_words(found),
        )

    async def code(self, request: Request) -> Response:
        """A code that counts from now on: its digits, its QR, and the seconds until the page should
        ask again (`turns_in`) and until the code is no longer good (`good_for`)."""
        desk, now = self._frame.desk, self._frame.gateway.now()
        token = request.path_params["token"]
        if not own_site(request, self._frame.gateway.public_url):
            return JSONResponse({}, HTTPStatus.FORBIDDEN, PRIVATE)
        try:
            card = await desk.database.write(cards.live_card, token, desk.keys, now)
        except cards.NoFreeCode:
            busy = {**PRIVATE, "Retry-After": "1"}
            return JSONResponse({}, HTTPStatus.SERVICE_UNAVAILABLE, busy)
        if card is None:
            return JSONResponse({}, HTTPStatus.NOT_FOUND, PRIVATE)
        answer = {
            "code": codes.shown(card.code),
            "text": card.qr,
            "qr": await data_url(self._frame.gateway, card.qr),
            "turns_in": (card.step_ends_at - now) / _SECOND,
            "good_for": (card.expires_at - now) / _SECOND,
        }
        return JSONResponse(answer, headers=PRIVATE)

    async def events(self, request: Request) -> Response:
        """`state`, as `in_words` says it, at once and whenever something happened to the guest."""
        token = request.path_params["token"]
        found = await self._standing(token)
        if found is None:
            return Response(status_code=HTTPStatus.NO_CONTENT)
        return StreamingResponse(
            self._stream(token, found.guest.public_id),
            headers={**PRIVATE, "X-Accel-Buffering": "no"},
            media_type="text/event-stream",
        )

    async def entries(self, request: Request) -> Response:
        """Movements before the one with the id `before`, of a `programme`: as an account of
        `in_words` has them."""
        asked = request.query_params
        programme, before = row_id(asked.get("programme", "")), row_id(asked.get("before", ""))
        if programme is None or before is None:
            return JSONResponse({}, HTTPStatus.BAD_REQUEST, PRIVATE)
        desk, token = self._frame.desk, request.path_params["token"]
        found = await desk.database.read(
            standing.earlier, token, desk.keys, programme, before, EARLIER
        )
        if found is None:
            return JSONResponse({}, HTTPStatus.NOT_FOUND, PRIVATE)
        guest, of, page = found
        return JSONResponse(_history(page, of, words(guest.language)), headers=PRIVATE)

    async def _stream(self, token: str, public_id: str) -> AsyncIterator[bytes]:
        async with self._frame.gateway.subscribe([f"guest:{public_id}"]) as rings:
            ring = asyncio.ensure_future(anext(rings))
            try:
                while (found := await self._standing(token)) is not None:
                    yield b"event: state\ndata: %s\n\n" % orjson.dumps(in_words(found))
                    while not (await asyncio.wait({ring}, timeout=HEARTBEAT))[0]:
                        yield b": still here\n\n"
                    ring.result()
                    ring = asyncio.ensure_future(anext(rings))
            finally:
                ring.cancel()

    async def _standing(self, token: str) -> Standing | None:
        desk, now = self._frame.desk, self._frame.gateway.now()
        return await desk.database.read(
            standing.of_token, token, desk.keys, now, entries=ENTRIES, notices=NOTICES
        )


def in_words(found: Standing) -> dict[str, Any]:
    """What the page shows of where the guest stands, in their language."""
    w = words(found.guest.language)
    zones = [account.programme.timezone for account in found.accounts]
    zone = ZoneInfo(next(filter(None, zones), "UTC"))
    return {
        "accounts": [_account(account, w) for account in found.accounts],
        "notices": [_notice(told, zone, w) for told in found.told],
    }


def _notice(told: Told, zone: ZoneInfo, w: Words) -> dict[str, str]:
    """What it is about, and why; the balance of then would only mislead."""
    what, why, *_ = [*told.text.split("\n"), ""]
    return {"what": what, "why": why, "when": w.moment(told.at, zone)}


def _account(account: Account, w: Words) -> dict[str, Any]:
    """`progress` from 0 to 1 towards the next reward; None where there is none."""
    programme, following = account.programme, account.next
    free = programme.balance - account.held
    progress, outlook = None, ""
    if following is not None:
        progress = min(max(free / following.cost, 0), 1)
        missing = w.points(following.cost - free, programme.unit)
        outlook = w.text(
            "{points} to go until “{reward}”.", points=missing, reward=name_in(following.names, w)
        )
    elif free > 0:
        outlook = w.text("You've collected enough for every reward.")
    return {
        "programme": programme.programme,
        "balance": w.points(programme.balance, programme.unit),
        "held": held_of(account.held, programme.unit, w),
        "progress": progress,
        "outlook": outlook,
        **card_rewards.in_words(account, w),
        **_history(account.history, programme, w),
    }


def _history(page: Page, of: Collecting, w: Words) -> dict[str, Any]:
    """`older`: there is more before the last one."""
    zone = ZoneInfo(of.timezone or "UTC")
    return {
        "entries": [
            {
                "id": line.id,
                "when": w.moment(line.entry.at, zone),
                "points": signed(line.entry.points, of.unit, w),
                "up": line.entry.points > 0,
                "why": entry_text(line.entry.kind, line.entry.because, w),
            }
            for line in page.lines
        ],
        "older": page.older,
    }
