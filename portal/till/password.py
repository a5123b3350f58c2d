"""`/till/password`: whoever proves with their password, and the second factor where one is set up,
that it is them, goes on to the one of two things that need it: a manager binds the browser to a
till; in one that is bound, anybody of its cafe chooses a PIN."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.domain.roles import Member
from core.i18n import Words, words
from core.services import devices, pins, sessions, sign_in
from core.services.errors import Forbidden, Missing, Rejected, SessionOver
from core.services.tills import Till
from portal import said
from portal.forms import Form, read, row_id
from portal.hashing import hashed_pin, matches
from portal.proof import agent
from portal.rooms import PRIVATE
from portal.till.door import HOME, TillOffice, device_token

PASSWORD = f"{HOME}/password"
HALFWAY = "second-factor"
PROVEN = "proven"
AGE = timedelta(minutes=10)
"""For each of the steps that follow the password."""


class PasswordRoom:
    def __init__(self, office: TillOffice) -> None:
        self._office, self._proof = office, office.proof
        self._database, self._keys = office.desk.database, office.desk.keys

    def routes(self) -> list[BaseRoute]:
        return [
            Route(PASSWORD, self.show),
            Route(PASSWORD, self.password, methods=["POST"]),
            Route(f"{HOME}/second-factor", self.second_factor, methods=["POST"]),
            Route(f"{HOME}/device", self.bind, methods=["POST"]),
            Route(f"{HOME}/pin", self.choose_pin, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        return await self._form(request)

    # -- proving that it is them -----------------------------------------------------------------

    async def password(self, request: Request) -> Response:
        form = await read(request)
        login = form.field("login")
        if not self._proof.is_ours(request, form):
            return await self._form(request, "stale", 403, login)
        if not self._proof.takes(request):
            return await self._form(request, "often", 429, login)
        check = await self._database.read(sign_in.to_check, login)
        right = await matches(check, form.exact("password"))
        known = await self._database.write(sign_in.password, check, right, self._now())
        if known is None:
            return await self._form(request, "login", 401, login)
        if known.second_factor:
            return self._second(request, self._proof.passed(request, HALFWAY, known.staff_id))
        return await self._go_on(request, known.staff_id)

    async def second_factor(self, request: Request) -> Response:
        form = await read(request)
        halfway = form.field("halfway")
        staff_id = self._proof.who_passed(request, HALFWAY, halfway, AGE)
        if staff_id is None:
            return await self._form(request, "stale", 403)
        if not self._proof.takes(request):
            return self._second(request, halfway, "often", 429)
        code = form.field("code")
        if not await self._database.write(sign_in.code, staff_id, code, self._keys, self._now()):
            return self._second(request, halfway, "code", 401)
        return await self._go_on(request, staff_id)

    async def _go_on(self, request: Request, staff_id: int) -> Response:
        """To what they have proved themselves for."""
        device = await self._office.device(request)
        proven = self._proof.passed(request, PROVEN, staff_id)
        if device is None:
            return await self._device_form(request, staff_id, proven)
        if not await self._database.read(pins.works_at, staff_id, device):
            return await self._form(request, "elsewhere", 403)
        return self._page(request, "pin.html", proven=proven, mistake="")

    # -- what they then do -----------------------------------------------------------------------

    async def bind(self, request: Request) -> Response:
        form = await read(request)
        proven = form.field("proven")
        staff_id = self._proof.who_passed(request, PROVEN, proven, AGE)
        if staff_id is None:
            return await self._form(request, "stale", 403)
        till_id, name = row_id(form.field("till")) or 0, form.field("name")
        try:
            token = await self._database.write(_bind, staff_id, till_id, name, self._now())
        except Rejected as error:
            return await self._device_form(request, staff_id, proven, error.code, form)
        except Missing:
            return await self._device_form(request, staff_id, proven, "till", form)
        except (Forbidden, SessionOver):
            return await self._form(request, "not_manager", 403)
        return self._office.bound(token)

    async def choose_pin(self, request: Request) -> Response:
        form = await read(request)
        proven, pin = form.field("proven"), form.field("pin")
        staff_id = self._proof.who_passed(request, PROVEN, proven, AGE)
        if staff_id is None:
            return await self._form(request, "stale", 403)
        try:
            if pin != form.field("again"):
                raise Rejected("pin_twice", "the two differ")
            pin_hash = await hashed_pin(pin)
            token = await self._database.write(
                pins.choose, staff_id, pin_hash, device_token(request), agent(request), self._now()
            )
        except Rejected as error:
            mistake = said.rejected(error.code, self._words(request))
            return self._page(request, "pin.html", 422, proven=proven, mistake=mistake)
        except Forbidden:
            return await self._form(request, "elsewhere", 403)
        return self._office.enter(request, token)

    # -- pages -----------------------------------------------------------------------------------

    async def _form(
        self, request: Request, wrong: str = "", status: int = 200, login: str = ""
    ) -> Response:
        device = await self._office.device(request)
        return self._proof.form(
            request,
            "till/password.html",
            status=status,
            till=device.till if device else None,
            wrong=wrong,
            login=login,
        )

    def _second(
        self, request: Request, halfway: str, wrong: str = "", status: int = 200
    ) -> Response:
        return self._page(request, "second_factor.html", status, halfway=halfway, wrong=wrong)

    async def _device_form(
        self,
        request: Request,
        staff_id: int,
        proven: str,
        mistake: str = "",
        form: Form | None = None,
    ) -> Response:
        try:
            tills = await self._database.read(_tills, staff_id)
        except (Forbidden, SessionOver):
            return await self._form(request, "not_manager", 403)
        return self._page(
            request,
            "device.html",
            422 if mistake else 200,
            proven=proven,
            mistake=said.rejected(mistake, self._words(request)) if mistake else "",
            tills=tills,
            form=form or Form(),
        )

    def _page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        return self._office.frame.page(
            request, f"till/{template}", status=status, headers=PRIVATE, **values
        )

    def _words(self, request: Request) -> Words:
        return words(self._office.frame.language(request))

    def _now(self) -> datetime:
        return self._office.gateway.now()


def _tills(tx: Any, staff_id: int) -> list[Till]:
    return list(devices.free_tills(tx, _member(tx, staff_id)))


def _bind(tx: Any, staff_id: int, till_id: int, name: str, now: datetime) -> str:
    return devices.bind(tx, _member(tx, staff_id), till_id, name, now)


def _member(tx: Any, staff_id: int) -> Member:
    found = sessions.member(tx, staff_id)
    if found is None:
        raise SessionOver("switched off meanwhile")
    return found
