"""The till API: `/api/v1/…`, JSON, a bearer token for each till (docs/till-api.md).

A request is one transaction: the token is looked up in the same one that does the work, and the
answer leaves after its commit.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from core.api import door, intake, redemptions, schemas
from core.api.door import Clock
from core.api.openapi import document
from core.api.problems import HANDLERS, Json, answering
from core.domain.earning import Item
from core.domain.money import nearest_minor, to_minor
from core.services import claims, orders, refunds
from core.services.errors import Invalid, Refusal
from core.services.identify import Identified, identify
from core.services.paid_orders import Counted, PaidOrder
from core.services.refund_rows import OrderRefund
from core.services.refunds import Refunded
from core.services.visits import Proof
from core.storage.database import Database
from core.storage.tx import Tx

SOURCE = "api"
"""Under this name the orders of the till API are kept, beside those of the till systems."""

AHEAD = timedelta(days=1)
"""So far a till's clock may be ahead of ours, its time zone included."""

_IDENTIFY = TypeAdapter(schemas.Identify)
_ORDER = TypeAdapter(schemas.Order)
_REFUND = TypeAdapter(schemas.Refund)
_CLAIM = TypeAdapter(schemas.Claim)


def routes(database: Database, clock: Clock) -> list[BaseRoute]:
    """Everything under /api/v1, its own errors included.

    Orders stand before the rest, in no application of their own: theirs is the busiest address of
    all, and goes by the express (core/express.py).
    """
    api = TillApi(database, clock)
    post = ["POST"]
    app = Starlette(
        routes=[
            Route("/orders", api.count, methods=post),
            Route("/identify", api.identify, methods=post),
            Route("/orders/{order_id:path}/refunds", api.refund, methods=post),
            Route("/orders/{order_id:path}/claim", api.claim, methods=post),
            *redemptions.routes(database, clock),
            Route("/openapi.json", describe, methods=["GET"]),
        ],
        exception_handlers=dict(HANDLERS),
    )
    app.router.redirect_slashes = False  # an address that isn't there is a 404 in JSON
    busiest = Route("/api/v1/orders", answering(api.count), methods=post)
    return [busiest, Route("/api/v1", app), Mount("/api/v1", app=app)]


async def describe(request: Request) -> Response:
    return Json(document())


class TillApi:
    """The endpoints that tills call."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def identify(self, request: Request) -> Response:
        token, asked = await door.read(self._database, request, _IDENTIFY)
        proof, text = asked.proof()
        language = request.headers.get("accept-language")
        found = await self._database.write(_identify, token, proof, text, language, self._clock())
        if isinstance(found, Refusal):  # only now: what it has counted is committed
            raise found
        return Json(found)

    async def count(self, request: Request) -> Response:
        token, order = await door.read(self._database, request, _ORDER)
        key, now = intake.idempotency_key(request), self._clock()
        return _counted(await self._database.write(_count, token, order, key, now))

    async def refund(self, request: Request) -> Response:
        token, refund = await door.read(self._database, request, _REFUND)
        key, order_id = intake.idempotency_key(request), intake.order_id(request)
        done = await self._database.write(_refund, token, order_id, refund, key, self._clock())
        if done.duplicate:
            return Json({**done.response, "duplicate": True}, 200)
        return Json(done.response, 202 if done.parked else 201)

    async def claim(self, request: Request) -> Response:
        token, claim = await door.read(self._database, request, _CLAIM)
        order_id = intake.order_id(request)
        return _counted(
            await self._database.write(_claim, token, order_id, claim.visit, self._clock())
        )


def _counted(counted: Counted) -> Response:
    if counted.duplicate:
        return Json({**counted.response, "duplicate": True}, 200)
    return Json(counted.response, 201)


# -- in the transaction ----------------------------------------------------------------------------


def _identify(
    tx: Tx, token: str, proof: Proof, text: str, language: str | None, now: datetime
) -> Identified | Refusal:
    till = door.till_of(tx, token)
    return identify(tx, till=till, proof=proof, text=text, now=now, language=language)


def _count(tx: Tx, token: str, order: schemas.Order, key: str, now: datetime) -> Counted:
    till = door.till_of(tx, token)
    return orders.count_order(
        tx,
        cafe=till.cafe,
        source=SOURCE,
        order=_paid(order, now),
        till_id=till.id,
        key=key,
        arrived_at=now,
        now=now,
    )


def _refund(
    tx: Tx, token: str, order_id: str, refund: schemas.Refund, key: str, now: datetime
) -> Refunded:
    till = door.till_of(tx, token)
    return refunds.refund_order(
        tx,
        cafe=till.cafe,
        source=SOURCE,
        refund=OrderRefund(
            order_id=order_id,
            refund_id=refund.refund_id,
            amount_minor=None
            if refund.amount is None
            else _minor("amount", to_minor, refund.amount, till.cafe.currency),
        ),
        till_id=till.id,
        key=key,
        now=now,
    )


def _claim(tx: Tx, token: str, order_id: str, visit: str, now: datetime) -> Counted:
    cafe = door.till_of(tx, token).cafe
    source = claims.source_of(tx, cafe.id, order_id, SOURCE)
    return claims.claim_order(tx, cafe=cafe, source=source, order_id=order_id, visit=visit, now=now)


# -- money -----------------------------------------------------------------------------------------


def _paid(order: schemas.Order, now: datetime) -> PaidOrder:
    """The order in minor units. Invalid for money and times that can't be."""
    total = _minor("total", to_minor, order.total, order.currency)
    if total < 0:
        raise Invalid("total: an order is of nothing or more; a refund has its own address")
    if order.paid_at is not None and order.paid_at > now + AHEAD:
        raise Invalid("paid_at: this time is still to come")
    return PaidOrder(
        order_id=order.order_id,
        total_minor=total,
        currency=order.currency,
        lines=tuple(
            Item(
                name=item.name,
                quantity=item.quantity,
                price_minor=_minor("price", nearest_minor, item.price, order.currency),
                sku=item.sku,
            )
            for item in order.items
        ),
        paid_at=order.paid_at,
        visit=order.visit,
        redemptions=order.redemptions,
    )


def _minor(field: str, convert: Callable[[str, str], int], text: str, currency: str) -> int:
    try:
        return convert(text, currency)
    except ValueError as error:
        raise Invalid(f"{field}: {error}") from None
