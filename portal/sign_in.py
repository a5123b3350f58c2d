"""`/portal/sign-in`: login and password, then the code where a second factor is set up."""

from __future__ import annotations

import re
import secrets
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.i18n import words
from core.services import sessions, sign_in
from portal import said
from portal.forms import Form, read, row_id
from portal.hashing import matches
from portal.office import COOKIE, HOME, PRIVATE, SIGN_IN, Call, Office, to

NONCE_COOKIE = "malva_sign_in"
"""Ties a sign-in form to the browser that it was given to, while there is no session yet."""
NONCE = "portal:sign-in"
HALFWAY = "portal:second-factor"
FORM_AGE = timedelta(hours=12)
HALFWAY_AGE = timedelta(minutes=5)

_OWN_PATH = re.compile(r"/portal(/[a-z0-9-]+)*")


class SignInRoom:
    def __init__(self, office: Office) -> None:
        self._office, self._frame = office, office.frame
        self._database, self._keys = office.desk.database, office.desk.keys
        self._pace = Pace()

    def routes(self) -> list[BaseRoute]:
        return [
            Route(SIGN_IN, self.show),
            Route(SIGN_IN, self.password, methods=["POST"]),
            Route("/portal/second-factor", self.second_factor, methods=["POST"]),
            self._office.post("/portal/sign-out", self.sign_out, None),
        ]

    async def show(self, request: Request) -> Response:
        return self._form(request, next=request.query_params.get("next", ""))

    async def password(self, request: Request) -> Response:
        form = await read(request)
        where = form.field("next")
        if not self._is_ours(request, form):
            return self._form(request, status=403, wrong="stale", next=where)
        if not self._pace.takes(_address(request), self._now()):
            return self._form(request, status=429, wrong="often", next=where)
        login = form.field("login")
        check = await self._database.read(sign_in.to_check, login)
        right = await matches(check, form.exact("password"))
        passed = await self._database.write(
            sign_in.first_step, check, right, _agent(request), self._now()
        )
        if passed is None:
            return self._form(request, status=401, wrong="login", login=login, next=where)
        if passed.token is not None:
            return self._in(passed.token, where)
        return self._second(request, self._halfway(request, passed.staff_id), where)

    async def second_factor(self, request: Request) -> Response:
        form = await read(request)
        where, halfway = form.field("next"), form.field("halfway")
        staff_id = self._passed_first(request, halfway)
        if staff_id is None:
            return self._form(request, status=403, wrong="stale", next=where)
        if not self._pace.takes(_address(request), self._now()):
            return self._second(request, halfway, where, status=429, wrong="often")
        code, agent = form.field("code"), _agent(request)
        token = await self._database.write(
            sign_in.second_step, staff_id, code, self._keys, agent, self._now()
        )
        if token is None:
            return self._second(request, halfway, where, status=401, wrong="code")
        return self._in(token, where)

    async def sign_out(self, call: Call) -> Response:
        await self._database.write(sessions.sign_out, call.token, self._now())
        answer = to(SIGN_IN, "signed_out")
        answer.delete_cookie(COOKIE, path=HOME)
        return answer

    # -- pages -----------------------------------------------------------------------------------

    def _form(self, request: Request, *, status: int = 200, **values: Any) -> Response:
        nonce = request.cookies.get(NONCE_COOKIE) or secrets.token_urlsafe(24)
        known = {"wrong": "", "login": "", "next": "", **values}
        done = said.done(request.query_params.get("done", ""), words(self._frame.language(request)))
        csrf = self._keys.sign_for_a_while(NONCE, nonce)
        answer = self._frame.page(
            request, "portal/sign_in.html", status=status, headers=PRIVATE, csrf=csrf, done=done,
            **known,
        )  # fmt: skip
        answer.set_cookie(NONCE_COOKIE, nonce, **self._cookie())
        return answer

    def _second(
        self, request: Request, halfway: str, where: str, *, status: int = 200, wrong: str = ""
    ) -> Response:
        return self._frame.page(
            request, "portal/second_factor.html", status=status, headers=PRIVATE,
            halfway=halfway, next=where, wrong=wrong,
        )  # fmt: skip

    def _in(self, token: str, where: str) -> Response:
        """A fresh session, whatever the browser brought."""
        answer = to(where if _OWN_PATH.fullmatch(where) else HOME)
        age = int(sessions.LONGEST.total_seconds())
        answer.set_cookie(COOKIE, token, max_age=age, **self._cookie())
        answer.delete_cookie(NONCE_COOKIE, path=HOME)
        return answer

    # -- what a form proves ----------------------------------------------------------------------

    def _is_ours(self, request: Request, form: Form) -> bool:
        """Whether this browser was given the form: else another site could sign it in as somebody
        of its own."""
        nonce = request.cookies.get(NONCE_COOKIE)
        signed = self._keys.unsign(NONCE, form.exact("csrf"), FORM_AGE)
        return bool(nonce) and signed == nonce

    def _halfway(self, request: Request, staff_id: int) -> str:
        nonce = request.cookies.get(NONCE_COOKIE, "")
        return self._keys.sign_for_a_while(HALFWAY, f"{staff_id}:{nonce}")

    def _passed_first(self, request: Request, halfway: str) -> int | None:
        """Who gave the right password in this browser, five minutes ago at most."""
        who, _, nonce = (self._keys.unsign(HALFWAY, halfway, HALFWAY_AGE) or "").partition(":")
        return row_id(who) if nonce and nonce == request.cookies.get(NONCE_COOKIE) else None

    def _cookie(self) -> dict[str, Any]:
        secure = self._frame.secure
        return {"path": HOME, "httponly": True, "samesite": "lax", "secure": secure}

    def _now(self) -> datetime:
        return self._office.gateway.now()


class Pace:
    """How often one address may try: passwords are guessed by machines. The login's own lock
    (services/sign_in.py) holds wherever they come from."""

    TRIES = 20
    WITHIN = timedelta(minutes=1)
    ADDRESSES = 10_000

    def __init__(self) -> None:
        self._tries: OrderedDict[str, list[datetime]] = OrderedDict()

    def takes(self, address: str, now: datetime) -> bool:
        recent = [at for at in self._tries.pop(address, []) if at > now - self.WITHIN]
        allowed = len(recent) < self.TRIES
        self._tries[address] = [*recent, now] if allowed else recent
        if len(self._tries) > self.ADDRESSES:
            self._tries.popitem(last=False)
        return allowed


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _agent(request: Request) -> str:
    return request.headers.get("user-agent", "")
