"""The door of the rooms under /portal: for owners and managers, with a session of their own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from core.domain.roles import Member, may
from core.services import sessions
from core.services.sessions import Session
from portal import rooms
from portal.rooms import PRIVATE, Room, to

COOKIE = "malva_staff"
HOME = "/portal"
SIGN_IN = "/portal/sign-in"

T = TypeVar("T")
Call = rooms.Call[Session]


class Office(rooms.Door[Session, Member]):
    """Services are given the member of staff who asks."""

    cookie, home, sign_in, templates = COOKIE, HOME, SIGN_IN, "portal"

    def of_request(self, tx: Any, request: Request, now: datetime) -> Session | None:
        return sessions.of_token(tx, _token(request), now)

    def on_behalf(
        self, tx: Any, request: Request, now: datetime, work: Callable[[Any, Member], T]
    ) -> T:
        return sessions.on_behalf(tx, _token(request), now, work)

    def seen(self, tx: Any, session: Session, now: datetime) -> None:
        sessions.seen(tx, session.id, now)

    def kept_out(self, call: Call, action: str | None) -> Response | None:
        if action is None or may(call.by.role, "portal"):
            return None
        return self.page(call, "no_portal.html", status=403)

    def back_to_sign_in(self, request: Request) -> str:
        if request.method == "GET" and request.url.path != HOME:
            return f"{SIGN_IN}?next={quote(request.url.path)}"
        return SIGN_IN


def _token(request: Request) -> str:
    return request.cookies.get(COOKIE, "")


__all__ = ["COOKIE", "HOME", "PRIVATE", "SIGN_IN", "Call", "Office", "Room", "to"]
