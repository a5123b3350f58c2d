"""Octopos: paid orders by webhook and fetch, refunds and missed orders by polling.

The vendor's OpenAPI 1.0 (paths under /api/v2) declares neither a signature nor an event id nor
the delivery's shape, so a delivery is believed in one thing only, its `order_number`, and the
order is fetched. Its times are naive and `created_at` is the opening of an order, so neither says
when it was paid: the webhook's arrival does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any
from urllib.parse import quote

import malva
from malva import FetchError, Finding, OrderPaid, Polled, Refused, Unreadable
from pos.octopos.api import Api
from pos.octopos.cursor import Cursor, asked
from pos.octopos.refunds import Refunds
from pos.octopos.rows import (
    Row,
    is_paid,
    lines,
    money,
    one,
    order_number,
    phone,
    refund_amount,
    refund_id,
    rows,
)
from pos.octopos.settings import Settings

CONTRACT = 1

log = logging.getLogger(__name__)

REFUNDED_WITHIN = timedelta(days=3)
"""So far back orders are looked through for a refund that none of the latest has."""


@malva.hookimpl
def pos(settings: Settings, gateway: malva.Gateway) -> Octopos:
    return Octopos(settings, gateway)


class Octopos:
    def __init__(self, settings: Settings, gateway: malva.Gateway) -> None:
        self._settings = settings
        self._gateway = gateway
        self._api = Api(settings, gateway.http)
        self._refunds = Refunds(self._api)
        self.poll_every: timedelta | None = timedelta(seconds=settings.poll_seconds)
        self._held = timedelta(seconds=settings.poll_seconds / 2)

    def cafes(self) -> Sequence[str]:
        return tuple(self._settings.cafes)

    # -- receive -------------------------------------------------------------------------------

    def verify(self, request: malva.Request, cafe: str) -> None:
        header, secret = self._settings.webhook_header()
        given = request.headers.get(header, "")
        if header == "authorization" and given[:7].lower() == "bearer ":
            given = given[7:]
        if not compare_digest(given.strip().encode(), secret.encode()):
            raise Refused(f"the header {header} does not hold the webhook's secret")

    def parse(self, request: malva.Request, cafe: str) -> Sequence[malva.Fetch]:
        try:
            document = malva.parse_json(request.body)
        except ValueError:
            raise Unreadable("the body is not JSON") from None
        numbers = [number for row in rows(document) if (number := order_number(row))]
        return [malva.Fetch(number) for number in dict.fromkeys(numbers)]

    # -- ask -----------------------------------------------------------------------------------

    async def fetch(self, cafe: str, ref: str) -> Sequence[OrderPaid]:
        order = one(await self._api.get(f"/orders/{quote(ref, safe='')}"))
        if order_number(order) != ref:
            raise FetchError(f"asked for order {ref}, got another")
        if not await self._counts(cafe, order):
            return []
        return [await self._paid(ref, order, live=True)]

    async def poll(self, cafe: str, cursor: str | None) -> Polled:
        now = self._gateway.now()
        last = Cursor.read(cursor, now)
        orders = _by_number(await self._updated("orders", cafe, last.since))
        refunds = _by_id(await self._updated("refunds", cafe, last.since))
        news = [
            number
            for number, order in orders.items()
            if number not in last.orders and await self._counts(cafe, order)
        ]
        due = [number for number in news if last.is_due(number, self._held, now)]
        given_back = {id_: row for id_, row in refunds.items() if id_ not in last.refunds}
        paid = await self._missed({number: orders[number] for number in due})
        returned = await self._refunds.events(
            given_back,
            orders,
            older=lambda: self._older(cafe, last.since),
        )
        told = {event.order_id for event in paid}
        following = last.after(
            openings=[order.get("created_at") for order in orders.values()],
            orders=(last.orders & orders.keys()) | told,
            refunds=(last.refunds & refunds.keys()) | {event.refund_id for event in returned},
            waiting=[number for number in news if number not in told],
            complete=len(paid) == len(due) and len(returned) == len(given_back),
            now=now,
        )
        return Polled((*paid, *returned), following.text())

    async def _updated(self, what: str, cafe: str, since: datetime) -> list[Row]:
        location = self._settings.cafes[cafe].location_id
        wanted = {"location_id": location, "last_updated_after": asked(since)}
        return list(rows(await self._api.post(f"/get_{what}_by_filter", wanted)))

    async def _older(self, cafe: str, since: datetime) -> Mapping[str, Row]:
        return _by_number(await self._updated("orders", cafe, since - REFUNDED_WITHIN))

    async def _missed(self, orders: Mapping[str, Row]) -> list[OrderPaid]:
        """One that can't be read, or whose card can't be had, waits and holds up no other."""

        async def paid(number: str) -> OrderPaid | None:
            try:
                return await self._paid(number, orders[number], live=False)
            except FetchError as error:
                log.warning("octopos: order %s waits for another poll: %s", number, error)
                return None

        found = await asyncio.gather(*map(paid, orders))
        return [event for event in found if event is not None]

    async def _counts(self, cafe: str, order: Row) -> bool:
        """Whether it is paid, and this cafe's: an order names its station only, and the station's
        location decides."""
        station = order.get("pos_station_id")
        if not is_paid(order):
            return False
        location = None if station is None else await self._api.location_of(str(station))
        return location in (None, str(self._settings.cafes[cafe].location_id))

    async def _paid(self, number: str, order: Row, *, live: bool) -> OrderPaid:
        station = order.get("pos_station_id")
        return OrderPaid(
            order_id=number,
            total=money(order.get("total_paid"), "total_paid"),
            lines=lines(order),
            phone=await self._phone(order.get("reward_card_id")),
            station=None if station is None else str(station),
            live=live,
        )

    async def _phone(self, reward_card: Any) -> str | None:
        """Without a card, or with one that was deleted, an order counts by its visit."""
        if not reward_card:
            return None
        path = f"/reward_cards/{quote(str(reward_card), safe='')}"
        return phone(one(await self._api.get(path, missing={})), self._settings.country)

    # -- a reward's coupon ---------------------------------------------------------------------

    async def grant(self, cafe: str, discount: malva.Discount) -> malva.Coupon | None:
        wanted: dict[str, Any] = {
            "location_id": self._settings.cafes[cafe].location_id,
            "name": f"{discount.name} ({discount.redemption_id})",
            "type": "generic",
            "applies_to": "order",
        }
        if discount.percentage is not None:
            wanted["percentage"] = str(discount.percentage)
        else:
            wanted["amount"] = str(discount.amount)
        code = one(await self._api.post("/coupons", wanted)).get("coupon_code")
        if not code:
            raise FetchError("Octopos made a coupon without a code", retryable=False)
        return malva.Coupon(str(code))

    async def check(self) -> Sequence[Finding]:
        try:
            known = await self._api.locations()
        except FetchError as error:
            hint = "check email, password and api_base of this table in plugins.toml"
            return [Finding("MALVA-E301", "error", f"Octopos refused: {error}", hint)]
        return [
            Finding(
                "MALVA-E302",
                "error",
                f"Octopos has no location {cafe.location_id} (cafe {slug})",
                f"its locations are {', '.join(sorted(known)) or 'none'}",
            )
            for slug, cafe in self._settings.cafes.items()
            if str(cafe.location_id) not in known
        ] or [Finding("MALVA-I301", "ok", "Octopos answers")]


def _by_number(orders: Iterable[Row]) -> dict[str, Row]:
    return {number: row for row in orders if (number := order_number(row))}


def _by_id(refunds: Iterable[Row]) -> dict[str, Row]:
    """Those that are of an amount: a tip that is given back is no part of an order."""
    found = {}
    for row in refunds:
        try:
            if refund_amount(row):
                found[refund_id(row)] = row
        except FetchError as error:
            log.warning("octopos: refund %s left out: %s", refund_id(row), error)
    return found
