"""`/portal`: how the cafes are doing."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from core.services import insights, schemes
from portal.office import HOME, Call, Office


class HomeRoom:
    def __init__(self, office: Office) -> None:
        self._office = office

    def routes(self) -> list[BaseRoute]:
        return [self._office.get(HOME, self.show, "figures")]

    async def show(self, call: Call) -> Response:
        figures = await self._office.read(call, insights.overview, self._office.gateway.now())
        known = await self._office.read(call, schemes.everyone)
        units = {scheme.id: scheme.unit for scheme in known}
        return self._office.page(call, "home.html", figures=figures, units=units)
