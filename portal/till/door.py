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

from core.services import devices, till_sessions
from core.services.devices import Device
from core.services.till_sessions import TillSession
from portal import rooms

COOKIE = "malva_till_staff"
DEVICE_COOKIE = "malva_till"
HOME = "/till"
SIGN_IN = "/till/sign-in"

T = TypeVar("T")
Call = rooms.Call[TillSession]


class TillOffice(rooms.Door[TillSession, TillSession]):
    """Services are given the session: who asks, and at which till."""

    cookie, home, sign_in, templates = COOKIE, HOME, SIGN_IN, "till"

    def of_request(self, tx: Any, request: Request, now: datetime) -> TillSession | None:
        return till_sessions.of_token(tx, *_tokens(request), now)

    def on_behalf(
        self, tx: Any, request: Request, now: datetime, work: Callable[[Any, TillSession], T]
    ) -> T:
        return till_sessions.on_till(tx, *_tokens(request), now, work)

    def seen(self, tx: Any, session: TillSession, now: datetime) -> None:
        till_sessions.seen(tx, session, now)

    async def device(self, request: Request) -> Device | None:
        """The device that the browser is, whoever is signed in; None where it isn't bound."""
        token = _tokens(request)[1]
        return await self.desk.database.read(devices.of_token, token) if token else None


def _tokens(request: Request) -> tuple[str, str]:
    """The session's and the device's."""
    return request.cookies.get(COOKIE, ""), request.cookies.get(DEVICE_COOKIE, "")
