"""`/till`: the counter. What is scanned or typed, whom it could be, and the visit it opens."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from core.i18n import N_
from core.services import lookup, misgiven, scanning, unclaimed
from core.services.errors import Refusal, Rejected
from portal.till import refusals
from portal.till.door import HOME, Call, TillOffice
from portal.till.stage import VISIT, VISITS, Note, Stage, key

NOBODY = N_("No guest of this cafe fits that. Ask for the card, or for another spelling.")


class CounterRoom:
    def __init__(self, office: TillOffice) -> None:
        self._office, self._stage = office, Stage(office)

    def routes(self) -> list[BaseRoute]:
        office = self._office
        return [
            office.get(HOME, self.show, "till"),
            office.post(f"{HOME}/scan", self.scan, "till"),
            office.post(f"{HOME}/choose", self.choose, "till"),
            office.get(VISIT, self.visit, "till"),
            office.get(f"{VISIT}/live", self.live, "till"),
            office.post(f"{VISIT}/orders", self.give_order, "till"),
            office.post(f"{VISIT}/orders/undo", self.take_back_order, "till"),
        ]

    async def show(self, call: Call) -> Response:
        return await self._stage.nobody(call)

    async def scan(self, call: Call) -> Response:
        text = call.form.field("text")
        try:
            found = await self._office.write(call, scanning.take, text, self._stage.now())
        except Rejected as error:
            return await self._refuse(call, refusals.why(error, call.w))
        if isinstance(found, str):
            return await self._stage.after(call, found, None)
        if isinstance(found, Refusal):
            return await self._refuse(call, refusals.why(found, call.w))
        if not found.matches:
            return await self._refuse(call, call.w.text(NOBODY))
        return await self._stage.matches(call, found)

    async def choose(self, call: Call) -> Response:
        guest = call.form.field("guest")
        visit = await self._office.write(call, lookup.choose, guest, self._stage.now())
        return await self._stage.after(call, visit, None)

    async def visit(self, call: Call) -> Response:
        return await self._stage.visit(call, key(call.request.path_params["visit"]))

    async def live(self, call: Call) -> Response:
        return await self._stage.live(call, key(call.request.path_params["visit"]))

    async def give_order(self, call: Call) -> Response:
        """An order that came without a guest is the visit's guest's."""
        visit = key(call.request.path_params["visit"])
        source, order = call.form.field("source"), call.form.field("order")
        try:
            counted = await self._office.write(
                call, unclaimed.give, source, order, visit, self._stage.now()
            )
        except (Refusal, Rejected) as error:
            return await self._stage.beside(call, visit, Note("bad", refusals.why(error, call.w)))
        unit = call.session.till.cafe.unit
        points = call.w.points(counted.response["points"], unit)
        note = Note("good", call.w.text("The order is theirs: {points}.", points=points))
        return await self._stage.beside(call, visit, note)

    async def take_back_order(self, call: Call) -> Response:
        """It was another guest's: it is nobody's again."""
        visit = key(call.request.path_params["visit"])
        source, order = call.form.field("source"), call.form.field("order")
        try:
            await self._office.write(
                call, misgiven.take_back, source, order, visit, self._stage.now()
            )
            note = Note("good", call.w.text("Undone: the order has no guest again."))
        except (Refusal, Rejected) as error:
            note = Note("bad", refusals.why(error, call.w))
        return await self._stage.beside(call, visit, note)

    async def _refuse(self, call: Call, text: str) -> Response:
        """Who stands there stays on the screen; whom somebody else could have been doesn't."""
        if call.swaps and VISITS in call.request.headers.get("hx-current-url", ""):
            return self._stage.refuse(call, text)
        return await self._stage.nobody(call, Note("bad", text))
