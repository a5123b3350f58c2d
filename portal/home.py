"""`/portal`: how the cafes are doing, and what an owner should look at."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from core.services import alarms, insights, schemes
from core.services.alarms import how_much
from portal.office import HOME, Call, Office, to


class HomeRoom:
    def __init__(self, office: Office) -> None:
        self._office = office

    def routes(self) -> list[BaseRoute]:
        return [
            self._office.get(HOME, self.show, "figures"),
            self._office.post(f"{HOME}/alarms/{{id}}/seen", self.see, "alarms"),
        ]

    async def show(self, call: Call) -> Response:
        figures = await self._office.read(call, insights.overview, self._office.gateway.now())
        known = await self._office.read(call, schemes.everyone)
        units = {scheme.id: scheme.unit for scheme in known}
        unseen = await self._office.read(call, alarms.unseen) if call.by.may("alarms") else ()
        return self._office.page(
            call, "home.html", figures=figures, units=units, unseen=unseen, how_much=how_much
        )

    async def see(self, call: Call) -> Response:
        await self._office.write(call, alarms.see, call.id(), self._office.gateway.now())
        return to(HOME, "alarm_seen")
