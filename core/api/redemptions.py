"""`/api/v1/redemptions…`: what the guest picked, or what the till starts for them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.api import door, intake, schemas
from core.api.door import Clock
from core.api.problems import Json, Problem
from core.services import counter
from core.services.counter import Ended, Picked
from core.services.errors import Refusal
from core.storage.database import Database
from core.storage.tx import Tx

_REDEEM = TypeAdapter(schemas.Redeem)


def routes(database: Database, clock: Clock) -> list[BaseRoute]:
    api = RedemptionApi(database, clock)
    one = "/redemptions/{redemption_id}"
    return [
        Route("/redemptions", api.begin, methods=["POST"]),
        Route(f"{one}/confirm", api.confirm, methods=["POST"]),
        Route(f"{one}/cancel", api.cancel, methods=["POST"]),
    ]


class RedemptionApi:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, request: Request) -> Response:
        token, redeem = await door.read(self._database, request, _REDEEM)
        language = request.headers.get("accept-language")
        begin = _start if redeem.visit is not None else _scan
        picked = await self._database.write(begin, token, redeem, language, self._clock())
        if isinstance(picked, Refusal):  # only now: what it has counted is committed
            raise picked
        return Json(picked, 201 if begin is _start else 200)

    async def confirm(self, request: Request) -> Response:
        token, redemption_id = intake.bearer(request), request.path_params["redemption_id"]
        try:
            key = intake.idempotency_key(request)
        except Problem:
            await self._database.read(door.till_of, token)
            raise
        language = request.headers.get("accept-language")
        return Json(
            await self._database.write(_confirm, token, redemption_id, key, language, self._clock())
        )

    async def cancel(self, request: Request) -> Response:
        token, redemption_id = intake.bearer(request), request.path_params["redemption_id"]
        return Json(await self._database.write(_cancel, token, redemption_id, self._clock()))


# -- in the transaction ----------------------------------------------------------------------------


def _scan(
    tx: Tx, token: str, redeem: schemas.Redeem, language: str | None, now: datetime
) -> Picked | Refusal:
    till = door.till_of(tx, token)
    if redeem.qr is not None:
        return counter.scan(tx, till=till, proof="qr", text=redeem.qr, now=now, language=language)
    return counter.scan(
        tx, till=till, proof="code", text=redeem.code or "", now=now, language=language
    )


def _start(
    tx: Tx, token: str, redeem: schemas.Redeem, language: str | None, now: datetime
) -> Picked | Refusal:
    return counter.start(
        tx,
        till=door.till_of(tx, token),
        visit=redeem.visit or "",
        reward_ids=redeem.reward_ids or (),
        now=now,
        language=language,
    )


def _confirm(
    tx: Tx, token: str, redemption_id: str, key: str, language: str | None, now: datetime
) -> dict[str, Any]:
    return counter.confirm(
        tx,
        till=door.till_of(tx, token),
        public_id=redemption_id,
        key=key,
        now=now,
        language=language,
    )


def _cancel(tx: Tx, token: str, redemption_id: str, now: datetime) -> Ended:
    return counter.cancel(tx, till=door.till_of(tx, token), public_id=redemption_id, now=now)
