"""`/portal/programme/<id>/join` and `/leave`: a cafe comes to a programme, or gets one of its own.

Both say first, in words, what it would mean, and are done by the form under that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from core.i18n import Words
from core.services import sharing
from core.services.errors import Rejected
from core.services.sharing import Plan
from portal import said
from portal.office import Call, Office, to
from portal.programme import ONE, PATH

JOIN = f"{ONE}/join"
LEAVE = f"{ONE}/leave"


class SharingRoom:
    def __init__(self, office: Office) -> None:
        self._office = office

    def routes(self) -> list[BaseRoute]:
        office = self._office
        return [
            office.get(JOIN, self.show_joining, "programme"),
            office.post(JOIN, self.join, "programme"),
            office.get(LEAVE, self.show_leaving, "programme"),
            office.post(LEAVE, self.leave, "programme"),
        ]

    async def show_joining(self, call: Call) -> Response:
        return await self._page(call, sharing.joining, call.request.query_params.get("cafe", ""))

    async def show_leaving(self, call: Call) -> Response:
        return await self._page(call, sharing.leaving, call.request.query_params.get("cafe", ""))

    async def join(self, call: Call) -> Response:
        return await self._do(call, sharing.join, sharing.joining, "cafe_joined")

    async def leave(self, call: Call) -> Response:
        return await self._do(call, sharing.leave, sharing.leaving, "cafe_left")

    async def _do(
        self, call: Call, do: Callable[..., None], look: Callable[..., Plan], done: str
    ) -> Response:
        cafe = call.form.field("cafe")
        try:
            await self._office.write(call, do, call.id(), cafe, self._office.gateway.now())
        except Rejected as error:
            return await self._page(call, look, cafe, error)
        return to(PATH, done)

    async def _page(
        self, call: Call, look: Callable[..., Plan], cafe: str, error: Rejected | None = None
    ) -> Response:
        plan = await self._office.read(call, look, call.id(), cafe)
        values: dict[str, Any] = {
            "plan": plan,
            "means": list(_means(plan, call.w)),
            "mistake": said.rejected(error.code, call.w) if error else "",
        }
        return self._office.page(call, "sharing.html", status=422 if error else 200, **values)


def _means(plan: Plan, w: Words) -> Iterator[str]:
    """What the plan means, in sentences."""
    cafe = plan.cafe.name
    if plan.to is None:
        yield w.text(
            "{cafe} gets a programme of its own, as new cafes have it: 1 point for each 1.00 "
            "spent, and one reward. You can change it then.",
            cafe=cafe,
        )
    else:
        yield w.text(
            "At {cafe}, “{programme}” counts from then on: what it gives for money, its rewards, "
            "products and bonuses.",
            cafe=cafe,
            programme=plan.to.name,
        )
    if plan.guests:
        yield from _of_points(plan, w)
    if plan.along:
        yield w.text(
            "“{programme}” ends: its rewards, products and bonuses are switched off.",
            programme=plan.left.name,
        )
        yield w.text("This can't be taken back: who leaves again leaves the points here.")


def _of_points(plan: Plan, w: Words) -> Iterator[str]:
    points = w.points(plan.points, plan.left.unit)
    if plan.along:
        yield w.count(
            "{count} guest comes along, with {points}.",
            "{count} guests come along, with {points} in all.",
            plan.guests,
            points=points,
        )
        return
    yield w.count(
        "{count} guest has {points} in “{programme}”. They stay there, for {cafes}.",
        "{count} guests have {points} in “{programme}”. They stay there, for {cafes}.",
        plan.guests,
        points=points,
        programme=plan.left.name,
        cafes=", ".join(place.name for place in plan.staying),
    )
    yield w.text("They can't be spent at {cafe} any more.", cafe=plan.cafe.name)
