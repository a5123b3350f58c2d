"""Rewards at the counter: started there, confirmed once, cancelled, undone."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from core.services import counter, returns
from core.services.counter import Ended, Picked
from core.services.errors import Refusal
from core.services.till_sessions import TillSession
from portal.till import refusals
from portal.till.door import Call, TillOffice
from portal.till.stage import VISIT, Note, Stage, key

ONE = f"{VISIT}/redemptions/{{id}}"


class RedemptionsRoom:
    def __init__(self, office: TillOffice) -> None:
        self._office, self._stage = office, Stage(office)

    def routes(self) -> list[BaseRoute]:
        office = self._office
        return [
            office.post(f"{VISIT}/redemptions", self.start, "till"),
            office.post(f"{ONE}/confirm", self.confirm, "till"),
            office.post(f"{ONE}/cancel", self.cancel, "till"),
            office.post(f"{ONE}/undo", self.undo, "till"),
        ]

    async def start(self, call: Call) -> Response:
        visit, reward = key(call.request.path_params["visit"]), call.form.field("reward")
        started = self._office.write(call, _start, visit, reward, self._stage.now())
        return await self._then(call, started, "")

    async def confirm(self, call: Call) -> Response:
        once = key(call.form.field("key"))
        confirmed = self._office.write(call, _confirm, _id(call), once, self._stage.now())
        return await self._then(call, confirmed, call.w.text("Confirmed: the points are taken."))

    async def cancel(self, call: Call) -> Response:
        cancelled = self._office.write(call, _cancel, _id(call), self._stage.now())
        done = call.w.text("Cancelled: the points are free again.")
        return await self._then(call, cancelled, done)

    async def undo(self, call: Call) -> Response:
        undone = self._office.write(call, _undo, _id(call), self._stage.now())
        return await self._then(call, undone, call.w.text("Undone: the points are back."))

    async def _then(self, call: Call, doing: Awaitable[object], done: str) -> Response:
        """The visit as it is afterwards, with `done`, or why it wasn't."""
        try:
            await doing
            note = Note("good", done) if done else None
        except Refusal as error:
            note = Note("bad", refusals.why(error, call.w))
        return await self._stage.beside(call, key(call.request.path_params["visit"]), note)


def _id(call: Call) -> str:
    return key(call.request.path_params["id"])


# -- in the transaction ----------------------------------------------------------------------------


def _start(tx: Any, by: TillSession, visit: str, reward: str, now: datetime) -> Picked:
    return counter.start(
        tx, till=by.till, visit=visit, reward_ids=[reward], now=now, staff_id=by.member.id
    )


def _confirm(tx: Any, by: TillSession, public_id: str, once: str, now: datetime) -> dict[str, Any]:
    return counter.confirm(
        tx, till=by.till, public_id=public_id, key=once, now=now, staff_id=by.member.id
    )


def _cancel(tx: Any, by: TillSession, public_id: str, now: datetime) -> Ended:
    return counter.cancel(tx, till=by.till, public_id=public_id, now=now, staff_id=by.member.id)


def _undo(tx: Any, by: TillSession, public_id: str, now: datetime) -> int:
    return returns.undo(tx, till=by.till, public_id=public_id, now=now, staff_id=by.member.id)
