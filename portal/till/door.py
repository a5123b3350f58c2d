"""The door of the cashier's page: a browser that is bound to a till, and who works in it.

    class CounterRoom:
        def __init__(self, office: TillOffice) -> None: …
        def routes(self): return [office.get("/till", self.show, "till"), …]
        async def show(self, call: Call) -> Response:
            found = await self._office.read(call, some_service, …)   # some_service(tx, by, …)
            return self._office.page(call, "counter.html", found=found)

`by` is the TillSession: `by.member`, `by.till` with its `cafe`, `by.device`. Templates stand in
`portal/templates/till/`; each has `me`, `session`, `csrf`, `done` and what it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from core.services import devices, sessions, till_sessions
from core.services.devices import Device
from core.services.till_sessions import TillSession
from portal import rooms
from portal.frame import Frame
from portal.proof import Proof

COOKIE = "malva_till_staff"
DEVICE_COOKIE = "malva_till"
DEVICE_SECONDS = 400 * 86400
"""The longest that browsers keep one."""
HOME = "/till"
SIGN_IN = "/till/sign-in"

T = TypeVar("T")
Call = rooms.Call[TillSession]


class TillOffice(rooms.Door[TillSession, TillSession]):
    """Services are given the session: who asks, and at which till."""

    cookie, home, sign_in, templates = COOKIE, HOME, SIGN_IN, "till"

    def __init__(self, frame: Frame) -> None:
        super().__init__(frame)
        self.proof = Proof(frame, HOME)

    def of_request(self, tx: Any, request: Request, now: datetime) -> TillSession | None:
        return till_sessions.of_token(tx, *_tokens(request), now)

    def on_behalf(
        self, tx: Any, request: Request, now: datetime, work: Callable[[Any, TillSession], T]
    ) -> T:
        return till_sessions.on_till(tx, *_tokens(request), now, work)

    def seen(self, tx: Any, session: TillSession, now: datetime) -> None:
        till_sessions.seen(tx, session, now)

    # -- the browser, whoever is signed in -------------------------------------------------------

    async def device(self, request: Request) -> Device | None:
        """The device that the browser is; None where it isn't bound to a till."""
        token = device_token(request)
        return await self.desk.database.read(devices.of_token, token) if token else None

    def bound(self, token: str) -> Response:
        """The browser is a device from now on."""
        answer = rooms.to(SIGN_IN, "device_bound")
        self._remember(answer, token)
        self.proof.over(answer)
        return answer

    def enter(self, request: Request, token: str) -> Response:
        """They are signed in; a device that is used is not forgotten by its browser."""
        answer = rooms.to(HOME)
        age = int(sessions.LONGEST.total_seconds())
        answer.set_cookie(COOKIE, token, max_age=age, **self.proof.cookie())
        self._remember(answer, device_token(request))
        self.proof.over(answer)
        return answer

    def _remember(self, answer: Response, token: str) -> None:
        answer.set_cookie(DEVICE_COOKIE, token, max_age=DEVICE_SECONDS, **self.proof.cookie())


def device_token(request: Request) -> str:
    return request.cookies.get(DEVICE_COOKIE, "")


def _tokens(request: Request) -> tuple[str, str]:
    """The session's and the device's."""
    return request.cookies.get(COOKIE, ""), device_token(request)
