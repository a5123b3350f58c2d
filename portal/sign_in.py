"""`/portal/sign-in`: login and password, then the code where a second factor is set up."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.i18n import words
from core.services import sessions, sign_in
from portal import said
from portal.forms import read
from portal.hashing import matches
from portal.office import COOKIE, HOME, PRIVATE, SIGN_IN, Call, Office, to
from portal.proof import Proof, agent

HALFWAY = "second-factor"
HALFWAY_AGE = timedelta(minutes=5)

_OWN_PATH = re.compile(r"/portal(/[a-z0-9-]+)*")


class SignInRoom:
    def __init__(self, office: Office) -> None:
        self._office, self._frame = office, office.frame
        self._database, self._keys = office.desk.database, office.desk.keys
        self._proof = Proof(office.frame, HOME)

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
        if not self._proof.is_ours(request, form):
            return self._form(request, status=403, wrong="stale", next=where)
        if not self._proof.takes(request):
            return self._form(request, status=429, wrong="often", next=where)
        login = form.field("login")
        check = await self._database.read(sign_in.to_check, login)
        right = await matches(check, form.exact("password"))
        passed = await self._database.write(
            sign_in.first_step, check, right, agent(request), self._now()
        )
        if passed is None:
            return self._form(request, status=401, wrong="login", login=login, next=where)
        if passed.token is not None:
            return self._in(passed.token, where)
        halfway = self._proof.passed(request, HALFWAY, passed.staff_id)
        return self._second(request, halfway, where)

    async def second_factor(self, request: Request) -> Response:
        form = await read(request)
        where, halfway = form.field("next"), form.field("halfway")
        staff_id = self._proof.who_passed(request, HALFWAY, halfway, HALFWAY_AGE)
        if staff_id is None:
            return self._form(request, status=403, wrong="stale", next=where)
        if not self._proof.takes(request):
            return self._second(request, halfway, where, status=429, wrong="often")
        code, who = form.field("code"), agent(request)
        token = await self._database.write(
            sign_in.second_step, staff_id, code, self._keys, who, self._now()
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
        known = {"wrong": "", "login": "", "next": "", **values}
        done = said.done(request.query_params.get("done", ""), words(self._frame.language(request)))
        return self._proof.form(request, "portal/sign_in.html", status=status, done=done, **known)

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
        answer.set_cookie(COOKIE, token, max_age=age, **self._proof.cookie())
        self._proof.over(answer)
        return answer

    def _now(self) -> datetime:
        return self._office.gateway.now()
