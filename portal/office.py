"""What the rooms under /portal share: who is signed in, what they may, the forms' proof.

Every address says which action it is (core/domain/roles.py). The role is checked before its
handler runs, the cafe in the service that does it, in the same transaction.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from core.domain.roles import Member, may
from core.i18n import Words, words
from core.services import sessions
from core.services.errors import Forbidden, Missing, NotPossible, Rejected, SessionOver
from core.services.sessions import Session
from portal import said
from portal.forms import Form, read, row_id
from portal.frame import Frame

COOKIE = "malva_staff"
HOME = "/portal"
SIGN_IN = "/portal/sign-in"
PRIVATE = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow"}

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One request of somebody signed in; `form` is empty where nothing was sent."""

    request: Request
    token: str
    session: Session
    form: Form
    w: Words

    @property
    def by(self) -> Member:
        return self.session.member

    @property
    def swaps(self) -> bool:
        """Whether the page's script asks, to put a piece into the page."""
        return self.request.headers.get("hx-request") == "true"

    def id(self, name: str = "id") -> int:
        """The row that the address names; Missing where it can't be one."""
        found = row_id(self.request.path_params[name])
        if found is None:
            raise Missing("no such row")
        return found


Handler = Callable[[Call], Awaitable[Response]]


class Room(Route):
    """An address of the portal. `action` is what it takes to be let in; None: being signed in."""

    def __init__(
        self,
        path: str,
        handler: Handler,
        action: str | None,
        method: str,
        office: Office,
        with_file: bool = False,
    ) -> None:
        self.action = action

        async def endpoint(request: Request) -> Response:
            return await office.answer(request, handler, action, with_file)

        super().__init__(path, endpoint, methods=[method])


class Office:
    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.gateway, self.desk = frame.gateway, frame.desk

    def get(self, path: str, handler: Handler, action: str | None) -> Room:
        return Room(path, handler, action, "GET", self)

    def post(
        self, path: str, handler: Handler, action: str | None, *, with_file: bool = False
    ) -> Room:
        return Room(path, handler, action, "POST", self, with_file)

    # -- services, on behalf of who is signed in -------------------------------------------------

    async def read(
        self, call: Call, fn: Callable[Concatenate[Any, Member, P], T], *a: P.args, **k: P.kwargs
    ) -> T:
        """`fn(tx, by, …)`; SessionOver where they are signed in no longer."""
        return await self.desk.database.read(
            sessions.on_behalf, call.token, self.gateway.now(), lambda tx, by: fn(tx, by, *a, **k)
        )

    async def write(
        self, call: Call, fn: Callable[Concatenate[Any, Member, P], T], *a: P.args, **k: P.kwargs
    ) -> T:
        return await self.desk.database.write(
            sessions.on_behalf, call.token, self.gateway.now(), lambda tx, by: fn(tx, by, *a, **k)
        )

    # -- letting in ------------------------------------------------------------------------------

    async def answer(
        self, request: Request, handler: Handler, action: str | None, with_file: bool
    ) -> Response:
        """The handler's page, or why there is none."""
        token = request.cookies.get(COOKIE, "")
        now = self.gateway.now()
        session = await self.desk.database.read(sessions.of_token, token, now) if token else None
        if session is None:
            return self._to_sign_in(request)
        if session.stale:
            await self.desk.database.write(sessions.seen, session.id, now)
        posted = request.method == "POST"
        form = await read(request, with_file=with_file) if posted else Form()
        call = Call(request, token, session, form, self._words(request, session))
        if action is not None and not may(call.by.role, "portal"):
            return self.page(call, "no_portal.html", status=403)
        if posted and not _proves(form, session):
            return self.page(call, "refused.html", status=403, why="stale")
        if action is not None and not may(call.by.role, action):
            return self.page(call, "refused.html", status=403, why="role")
        return await self._handled(call, handler)

    async def _handled(self, call: Call, handler: Handler) -> Response:
        try:
            return await handler(call)
        except SessionOver:
            return self._to_sign_in(call.request)
        except Forbidden:
            return self.page(call, "refused.html", status=403, why="role")
        except Missing:
            return self.page(call, "refused.html", status=404, why="missing")
        except Rejected as error:
            mistake = said.rejected(error.code, call.w)
            return self.page(call, "refused.html", status=422, why="mistake", mistake=mistake)
        except NotPossible:
            return self.page(call, "refused.html", status=422, why="mistake", mistake="")

    def _words(self, request: Request, session: Session) -> Words:
        return words(session.member.language or self.frame.language(request))

    def _to_sign_in(self, request: Request) -> Response:
        """After a look at a page they come back to it; what was sent can't be kept."""
        where = SIGN_IN
        if request.method == "GET" and request.url.path != HOME:
            where = f"{SIGN_IN}?next={quote(request.url.path)}"
        if request.headers.get("hx-request") == "true":
            return Response(headers={**PRIVATE, "HX-Redirect": where})
        return RedirectResponse(where, 303, PRIVATE)

    # -- pages -----------------------------------------------------------------------------------

    def page(self, call: Call, template: str, *, status: int = 200, **values: Any) -> Response:
        return self.frame.page(
            call.request,
            f"portal/{template}",
            language=call.w.language,
            status=status,
            headers=PRIVATE,
            me=call.by,
            csrf=call.session.csrf,
            may=call.by.may,
            done=said.done(call.request.query_params.get("done", ""), call.w),
            **values,
        )

    def piece(self, call: Call, template: str, **values: Any) -> Response:
        """A piece of a page, for the page's script."""
        html = self.frame.render(f"portal/{template}", call.w, csrf=call.session.csrf, **values)
        return Response(html, headers=PRIVATE, media_type="text/html")


def to(path: str, done: str = "") -> Response:
    """Where a form leads that did what it should: asked for again, nothing is done twice."""
    return RedirectResponse(f"{path}?done={done}" if done else path, 303, PRIVATE)


def _proves(form: Form, session: Session) -> bool:
    given = form.exact("csrf").encode(errors="replace")
    return secrets.compare_digest(given, session.csrf.encode())
