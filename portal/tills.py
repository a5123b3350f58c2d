"""`/portal/tills`: the tills and their tokens, each shown once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from core.domain.roles import Member
from core.services import devices, permission, tills
from core.services.errors import Rejected
from portal import said
from portal.office import Call, Office, to

PATH = "/portal/tills"


class TillsRoom:
    def __init__(self, office: Office) -> None:
        self._office = office

    def routes(self) -> list[BaseRoute]:
        office = self._office
        return [
            office.get(PATH, self.show, "tills"),
            office.post(PATH, self.add, "tills"),
            office.post(f"{PATH}/{{id}}/token", self.renew, "tills"),
            office.post(f"{PATH}/{{id}}/revoke", self.revoke, "tills"),
            office.post(f"{PATH}/devices/{{id}}/revoke", self.revoke_device, "devices"),
        ]

    async def show(self, call: Call) -> Response:
        return await self._page(call)

    async def add(self, call: Call) -> Response:
        form, now = call.form, self._office.gateway.now()
        cafe, name, station = form.field("cafe"), form.field("name"), form.field("station")
        try:
            token = await self._office.write(call, _add, cafe, name, station, now)
        except Rejected as error:
            return await self._page(call, error)
        return self._token(call, name, token)

    async def renew(self, call: Call) -> Response:
        found = {till.id: till for till in await self._office.read(call, tills.everyone)}
        token = await self._office.write(call, tills.renew, call.id(), self._office.gateway.now())
        return self._token(call, found[call.id()].name, token)

    async def revoke(self, call: Call) -> Response:
        await self._office.write(call, tills.revoke, call.id(), self._office.gateway.now())
        return to(PATH, "till_revoked")

    async def revoke_device(self, call: Call) -> Response:
        now = self._office.gateway.now()
        await self._office.write(call, devices.revoke, call.id(), now)
        return to(PATH, "device_revoked")

    def _token(self, call: Call, name: str, token: str) -> Response:
        api = f"{self._office.gateway.public_url}/api/v1"
        return self._office.page(call, "till_token.html", name=name, token=token, api=api)

    async def _page(self, call: Call, error: Rejected | None = None) -> Response:
        return self._office.page(
            call,
            "tills.html",
            status=422 if error else 200,
            mistake=said.rejected(error.code, call.w) if error else "",
            form=call.form,
            tills=await self._office.read(call, tills.everyone),
            devices=await self._office.read(call, devices.everyone),
            page=f"{self._office.gateway.public_url}/till",
            cafes=await self._office.read(call, permission.places),
        )


def _add(tx: Any, by: Member, cafe: str, name: str, station: str, now: datetime) -> str:
    return tills.add(tx, cafe, name, station or None, now, by=by)
