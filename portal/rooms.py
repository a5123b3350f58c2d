"""What the portal and the cashier's page share: addresses that take somebody signed in, and the
forms' proof.

Every address says which action it is (core/domain/roles.py). The role is checked before its
handler runs, the cafe in the service that does it, in the same transaction.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from core.domain.roles import Member, may
from core.i18n import Words, words
from core.services.errors import Forbidden, Missing, NotPossible, Rejected, SessionOver
from portal import said
from portal.forms import Form, read, row_id
from portal.frame import Frame

PRIVATE = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow"}


class SignedIn(Protocol):
    """A session, wherever. `csrf` is what its forms carry; `stale`: that it was seen is to be
    noted."""

    @property
    def id(self) -> int: ...
    @property
    def member(self) -> Member: ...
    @property
    def csrf(self) -> str: ...
    @property
    def stale(self) -> bool: ...


P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound=SignedIn)
By = TypeVar("By")


@dataclass(frozen=True, slots=True)
class Call(Generic[S]):
    """One request of somebody signed in; `form` is empty where nothing was sent."""

    request: Request
    token: str
    session: S
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


class Room(Route):
    """An address that takes a session. `action` is what it takes to be let in; None: being signed
    in."""

    def __init__(
        self,
        path: str,
        handler: Callable[[Call[S]], Awaitable[Response]],
        action: str | None,
        method: str,
        door: Door[S, By],
        with_file: bool = False,
    ) -> None:
        self.action = action

        async def endpoint(request: Request) -> Response:
            return await door.answer(request, handler, action, with_file)

        super().__init__(path, endpoint, methods=[method])


class Door(ABC, Generic[S, By]):
    """Lets in who is signed in with sessions of the kind `S`; services are given a `By`."""

    cookie: ClassVar[str]
    home: ClassVar[str]
    sign_in: ClassVar[str]
    templates: ClassVar[str]
    """The folder of its pages."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.gateway, self.desk = frame.gateway, frame.desk

    def get(
        self, path: str, handler: Callable[[Call[S]], Awaitable[Response]], action: str | None
    ) -> Room:
        return Room(path, handler, action, "GET", self)

    def post(
        self,
        path: str,
        handler: Callable[[Call[S]], Awaitable[Response]],
        action: str | None,
        *,
        with_file: bool = False,
    ) -> Room:
        return Room(path, handler, action, "POST", self, with_file)

    # -- what differs ----------------------------------------------------------------------------

    @abstractmethod
    def of_request(self, tx: Any, request: Request, now: datetime) -> S | None:
        """The session that the request's cookies open."""

    @abstractmethod
    def on_behalf(
        self, tx: Any, request: Request, now: datetime, work: Callable[[Any, By], T]
    ) -> T:
        """`work(tx, by)` for whoever is signed in; SessionOver where they are no longer."""

    @abstractmethod
    def seen(self, tx: Any, session: S, now: datetime) -> None: ...

    def kept_out(self, call: Call[S], action: str | None) -> Response | None:
        """The page for somebody signed in who has nothing to look for here."""
        return None

    # -- services, on behalf of who is signed in -------------------------------------------------

    async def read(
        self, call: Call[S], fn: Callable[Concatenate[Any, By, P], T], *a: P.args, **k: P.kwargs
    ) -> T:
        """`fn(tx, by, …)`; SessionOver where they are signed in no longer."""
        return await self.desk.database.read(
            self.on_behalf, call.request, self.gateway.now(), lambda tx, by: fn(tx, by, *a, **k)
        )

    async def write(
        self, call: Call[S], fn: Callable[Concatenate[Any, By, P], T], *a: P.args, **k: P.kwargs
    ) -> T:
        return await self.desk.database.write(
            self.on_behalf, call.request, self.gateway.now(), lambda tx, by: fn(tx, by, *a, **k)
        )

    # -- letting in ------------------------------------------------------------------------------

    async def answer(
        self,
        request: Request,
        handler: Callable[[Call[S]], Awaitable[Response]],
        action: str | None,
        with_file: bool,
    ) -> Response:
        """The handler's page, or why there is none."""
        token, now = request.cookies.get(self.cookie, ""), self.gateway.now()
        session = await self.desk.database.read(self.of_request, request, now) if token else None
        if session is None:
            return self.to_sign_in(request)
        if session.stale:
            await self.desk.database.write(self.seen, session, now)
        posted = request.method == "POST"
        form = await read(request, with_file=with_file) if posted else Form()
        call = Call(request, token, session, form, self._words(request, session))
        if (kept_out := self.kept_out(call, action)) is not None:
            return kept_out
        if posted and not _proves(form, session):
            return self.page(call, "refused.html", status=403, why="stale")
        if action is not None and not may(call.by.role, action):
            return self.page(call, "refused.html", status=403, why="role")
        return await self._handled(call, handler)

    async def _handled(
        self, call: Call[S], handler: Callable[[Call[S]], Awaitable[Response]]
    ) -> Response:
        try:
            return await handler(call)
        except SessionOver:
            return self.to_sign_in(call.request)
        except Forbidden:
            return self.page(call, "refused.html", status=403, why="role")
        except Missing:
            return self.page(call, "refused.html", status=404, why="missing")
        except Rejected as error:
            mistake = said.rejected(error.code, call.w)
            return self.page(call, "refused.html", status=422, why="mistake", mistake=mistake)
        except NotPossible:
            return self.page(call, "refused.html", status=422, why="mistake", mistake="")

    def _words(self, request: Request, session: S) -> Words:
        return words(session.member.language or self.frame.language(request))

    def to_sign_in(self, request: Request) -> Response:
        """After a look at a page they come back to it; what was sent can't be kept."""
        where = self.back_to_sign_in(request)
        if request.headers.get("hx-request") == "true":
            return Response(headers={**PRIVATE, "HX-Redirect": where})
        return RedirectResponse(where, 303, PRIVATE)

    def back_to_sign_in(self, request: Request) -> str:
        return self.sign_in

    # -- pages -----------------------------------------------------------------------------------

    def page(self, call: Call[S], template: str, *, status: int = 200, **values: Any) -> Response:
        return self.frame.page(
            call.request,
            f"{self.templates}/{template}",
            language=call.w.language,
            status=status,
            headers=PRIVATE,
            me=call.by,
            session=call.session,
            csrf=call.session.csrf,
            may=call.by.may,
            done=said.done(call.request.query_params.get("done", ""), call.w),
            **values,
        )

    def piece(self, call: Call[S], template: str, *, status: int = 200, **values: Any) -> Response:
        """A piece of a page, for the page's script."""
        html = self.frame.render(
            f"{self.templates}/{template}", call.w, csrf=call.session.csrf, **values
        )
        return Response(html, status, headers=PRIVATE, media_type="text/html")


def to(path: str, done: str = "") -> Response:
    """Where a form leads that did what it should: asked for again, nothing is done twice."""
    return RedirectResponse(f"{path}?done={done}" if done else path, 303, PRIVATE)


def _proves(form: Form, session: SignedIn) -> bool:
    given = form.exact("csrf").encode(errors="replace")
    return secrets.compare_digest(given, session.csrf.encode())
