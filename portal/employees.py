"""`/portal/employees`: who works here, as what, in which cafes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from core.domain.roles import ROLES, Member, may_appoint
from core.i18n import N_
from core.services import limits, permission, staff
from core.services.errors import Forbidden, Rejected
from core.services.limits import Lately
from core.services.permission import Place
from core.services.staff import Colleague, Limits
from portal import said
from portal.hashing import hashed
from portal.office import Call, Office, to

PATH = "/portal/employees"
ONE = f"{PATH}/{{id}}"
TITLES = {"owner": N_("Owner"), "manager": N_("Manager"), "cashier": N_("Cashier")}


class EmployeesRoom:
    def __init__(self, office: Office) -> None:
        self._office = office

    def routes(self) -> list[BaseRoute]:
        office = self._office
        return [
            office.get(PATH, self.show, "employees"),
            office.get(f"{PATH}/new", self.blank, "employees"),
            office.post(f"{PATH}/new", self.add, "employees"),
            office.get(ONE, self.one, "employees"),
            office.post(ONE, self.change, "employees"),
            office.post(f"{ONE}/password", self.password, "employees"),
            office.post(f"{ONE}/limits", self.limit, "employees"),
            office.post(f"{ONE}/pin", self.clear_pin, "employees"),
            office.post(f"{ONE}/off", self.switch_off, "employees"),
            office.post(f"{ONE}/on", self.switch_on, "employees"),
        ]

    async def show(self, call: Call) -> Response:
        people = await self._office.read(call, staff.everyone)
        places = await self._office.read(call, permission.places)
        cafes = {place.slug: place.name for place in places}
        return self._office.page(call, "employees.html", people=people, cafes=cafes, titles=TITLES)

    async def blank(self, call: Call) -> Response:
        return await self._form(call)

    async def add(self, call: Call) -> Response:
        form, now = call.form, self._office.gateway.now()
        login, name, role = form.field("login"), form.field("name"), form.field("role")
        try:
            password_hash = await hashed(form.exact("password"))
            await self._office.write(
                call, _add, login, name or login, role, _cafes(call), password_hash, now
            )
        except Rejected as error:
            return await self._form(call, error=error)
        return to(PATH, "employee_added")

    async def one(self, call: Call) -> Response:
        return await self._form(call, await self._office.read(call, staff.one, call.id()))

    async def change(self, call: Call) -> Response:
        found = await self._office.read(call, staff.one, call.id())
        try:
            await self._office.write(
                call,
                staff.change,
                found.id,
                name=call.form.field("name"),
                role=call.form.field("role"),
                slugs=_cafes(call),
                now=self._office.gateway.now(),
            )
        except Rejected as error:
            return await self._form(call, found, error)
        return to(PATH, "saved")

    async def password(self, call: Call) -> Response:
        found = await self._office.read(call, staff.one, call.id())
        try:
            password_hash = await hashed(call.form.exact("password"))
            await self._office.write(
                call,
                staff.reset_password,
                found.id,
                password_hash,
                without_second_factor=bool(call.form.field("without_second_factor")),
                now=self._office.gateway.now(),
            )
        except Rejected as error:
            return await self._form(call, found, error, part="password")
        return to(PATH, "employee_password")

    async def limit(self, call: Call) -> Response:
        found = await self._office.read(call, staff.one, call.id())
        try:
            wanted = Limits(*(_bound(call, name) for name in Limits._fields))
            now = self._office.gateway.now()
            await self._office.write(call, staff.limit, found.id, wanted, now)
        except Rejected as error:
            return await self._form(call, found, error, part="limits")
        return to(PATH, "employee_limited")

    async def clear_pin(self, call: Call) -> Response:
        await self._office.write(call, staff.clear_pin, call.id(), self._office.gateway.now())
        return to(PATH, "pin_cleared")

    async def switch_off(self, call: Call) -> Response:
        await self._office.write(call, staff.switch_off, call.id(), self._office.gateway.now())
        return to(PATH, "employee_off")

    async def switch_on(self, call: Call) -> Response:
        await self._office.write(call, staff.switch_on, call.id(), self._office.gateway.now())
        return to(PATH, "employee_on")

    async def _form(
        self,
        call: Call,
        found: Colleague | None = None,
        error: Rejected | None = None,
        part: str = "facts",
    ) -> Response:
        if found is not None and not found.may_change:
            raise Forbidden("not theirs to change")
        sent = call.form if error is not None and part == "facts" else None
        places = await self._office.read(call, permission.places)
        return self._office.page(
            call,
            "employee.html",
            status=422 if error else 200,
            mistakes={part: said.rejected(error.code, call.w)} if error else {},
            found=found,
            login=sent.field("login") if sent else "",
            name=sent.field("name") if sent else found.name if found else "",
            role=sent.field("role") if sent else found.role if found else "cashier",
            chosen=sent.all("cafe") if sent else found.cafes if found else [],
            roles=[role for role in ROLES if may_appoint(call.by.role, role)],
            titles=TITLES,
            cafes=places,
            bounds=_bounds(call, found, wrong=part == "limits"),
            lately=await self._lately(call, found, places),
        )

    async def _lately(
        self, call: Call, found: Colleague | None, places: Sequence[Place]
    ) -> Lately | None:
        """What the limits are to be compared with; days are those of the first cafe."""
        if found is None:
            return None
        zone, now = places[0].timezone if places else "UTC", self._office.gateway.now()
        return await self._office.read(call, limits.lately, found.id, zone, now)


def _cafes(call: Call) -> list[str]:
    """An owner is of all cafes, whichever were ticked."""
    return [] if call.form.field("role") == "owner" else call.form.all("cafe")


def _bound(call: Call, name: str) -> int | None:
    return call.form.whole(name) if call.form.field(name) else None


def _bounds(call: Call, found: Colleague | None, *, wrong: bool) -> Mapping[str, Any]:
    """The limits as their fields show them: as they are, or as they were written."""
    if wrong:
        return {name: call.form.field(name) for name in Limits._fields}
    return found.limits._asdict() if found else {}


def _add(
    tx: Any,
    by: Member,
    login: str,
    name: str,
    role: str,
    slugs: list[str],
    password_hash: str,
    now: datetime,
) -> int:
    return staff.add(tx, login, name, role, slugs, password_hash, now, by=by)
