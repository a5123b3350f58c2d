"""`/till/sign-in`: login and PIN, in a browser that is bound to a till. Whoever has signed in there
before taps their name instead of typing a login."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.i18n import LANGUAGES, words
from core.services import devices, pins, sessions, sign_in, staff
from core.services.devices import Device
from core.services.till_sessions import TillSession
from portal import said
from portal.forms import read
from portal.hashing import matches
from portal.proof import agent
from portal.rooms import to
from portal.till.door import COOKIE, HOME, SIGN_IN, Call, TillOffice, device_token
from portal.till.password import PASSWORD


class SignInRoom:
    def __init__(self, office: TillOffice) -> None:
        self._office, self._database = office, office.desk.database

    def routes(self) -> list[BaseRoute]:
        return [
            Route(SIGN_IN, self.show),
            Route(SIGN_IN, self.pin, methods=["POST"]),
            self._office.post(f"{HOME}/sign-out", self.sign_out, None),
            self._office.post(f"{HOME}/language", self.language, None),
        ]

    async def show(self, request: Request) -> Response:
        device = await self._office.device(request)
        return to(PASSWORD) if device is None else await self._form(request, device)

    async def pin(self, request: Request) -> Response:
        form, device = await read(request), await self._office.device(request)
        if device is None:
            return to(PASSWORD)
        typed = {"who": form.field("who"), "login": form.field("login")}
        if not self._office.proof.is_ours(request, form):
            return await self._form(request, device, status=403, wrong="stale", **typed)
        if not self._office.proof.takes(request):
            return await self._form(request, device, status=429, wrong="often", **typed)
        login = typed["who"] or typed["login"]
        check = await self._database.read(sign_in.pin_to_check, login)
        right = await matches(check, form.field("pin"))
        now = self._office.gateway.now()
        token = await self._database.write(
            pins.sign_in_by, check, right, device_token(request), agent(request), now
        )
        if token is None:
            return await self._form(request, device, status=401, wrong="pin", **typed)
        return self._office.enter(request, token)

    async def sign_out(self, call: Call) -> Response:
        await self._database.write(sessions.sign_out, call.token, self._office.gateway.now())
        answer = to(SIGN_IN, "signed_out")
        answer.delete_cookie(COOKIE, path=HOME)
        return answer

    async def language(self, call: Call) -> Response:
        chosen = call.form.field("language")
        if chosen in LANGUAGES:
            await self._office.write(call, _choose_language, chosen)
        return to(HOME)

    async def _form(
        self,
        request: Request,
        device: Device,
        *,
        status: int = 200,
        wrong: str = "",
        who: str | None = None,
        login: str = "",
    ) -> Response:
        """`who`: the login of the name that was tapped, "" for somebody else."""
        w = words(self._office.frame.language(request))
        now = self._office.gateway.now()
        regulars = await self._database.read(devices.regulars, device, now)
        if who is None and regulars:
            who = regulars[0].login
        return self._office.proof.form(
            request,
            "till/sign_in.html",
            status=status,
            till=device.till,
            regulars=regulars,
            wrong=wrong,
            who=who,
            login=login,
            done=said.done(request.query_params.get("done", ""), w),
        )


def _choose_language(tx: Any, by: TillSession, language: str) -> None:
    staff.choose_language(tx, by.member, language)
