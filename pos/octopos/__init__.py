"""Octopos: paid orders by webhook and fetch, refunds and missed orders by polling.

The vendor's OpenAPI 1.0 (paths under /api/v2) declares neither a signature nor an event id nor
the delivery's shape, so a delivery is believed in one thing only, its `order_number`, and the
order is fetched. Its times are naive and `created_at` is the opening of an order, so neither says
when it was paid: the webhook's arrival does.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, SecretStr, model_validator

import malva
from malva import FetchError, Finding, OrderPaid, OrderRefunded, Polled, Refused, Unreadable
from pos.octopos.api import Api
from pos.octopos.rows import lines, money, one, order_number, refund_id, rows

CONTRACT = 1

log = logging.getLogger(__name__)

_OVERLAP = timedelta(hours=1)
_FIRST_LOOK_BACK = timedelta(days=1)


class CafeSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    location_id: int


class Settings(malva.Settings):
    """`auth_type` says where the webhook's secret arrives: `token` in Authorization, bare or as
    Bearer; `api` in the header `api_key`."""

    api_base: str
    email: str
    password: SecretStr
    auth_type: Literal["token", "api"] = "token"
    webhook_token: SecretStr | None = None
    api_value: SecretStr | None = None
    api_header: str = "Authorization"
    api_scheme: str = "Bearer"
    poll_seconds: int = 60
    cafes: dict[str, CafeSettings]

    @model_validator(mode="after")
    def _has_its_secret(self) -> Settings:
        needed = "webhook_token" if self.auth_type == "token" else "api_value"
        secret: SecretStr | None = getattr(self, needed)
        if secret is None or not secret.get_secret_value():
            raise ValueError(f'auth_type = "{self.auth_type}" needs {needed}')
        return self


@malva.hookimpl
def pos(settings: Settings, gateway: malva.Gateway) -> Octopos:
    return Octopos(settings, gateway)


class Octopos:
    def __init__(self, settings: Settings, gateway: malva.Gateway) -> None:
        self._settings = settings
        self._api = Api(settings, gateway.http)
        self._gateway = gateway
        self.poll_every: timedelta | None = timedelta(seconds=settings.poll_seconds)

    def cafes(self) -> Sequence[str]:
        return tuple(self._settings.cafes)

    # -- receive -------------------------------------------------------------------------------

    def verify(self, request: malva.Request, cafe: str) -> None:
        if self._settings.auth_type == "token":
            expected, header = self._settings.webhook_token, "authorization"
        else:
            expected, header = self._settings.api_value, "api_key"
        given = request.headers.get(header, "")
        if header == "authorization" and given[:7].lower() == "bearer ":
            given = given[7:]
        assert expected is not None  # Settings saw to it
        if not compare_digest(given.strip().encode(), expected.get_secret_value().encode()):
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
        order = await self._api.get(f"/orders/{quote(ref, safe='')}")
        found = one(order)
        if order_number(found) != ref:
            raise FetchError(f"asked for order {ref}, got another", retryable=False)
        return await self._paid(cafe, found, live=True)

    async def poll(self, cafe: str, cursor: str | None) -> Polled:
        """`cursor` is the newest `created_at` seen, on the vendor's own clock: what was updated
        after it includes all that was opened after it, whatever zone that clock is in."""
        since = cursor or _naive(self._gateway.now() - _FIRST_LOOK_BACK)
        asked = {
            "location_id": self._settings.cafes[cafe].location_id,
            "last_updated_after": since,
        }
        orders = list(rows(await self._api.post("/get_orders_by_filter", asked)))
        refunds = list(rows(await self._api.post("/get_refunds_by_filter", asked)))
        events: list[malva.TillEvent] = []
        for order in orders:
            events += await self._tolerantly(cafe, order)
        events += await self._refunded(refunds, orders)
        newest = max(
            [str(order["created_at"]) for order in orders if order.get("created_at")] or [""]
        )
        return Polled(tuple(events), _back(newest) if newest else since)

    async def _tolerantly(self, cafe: str, order: Mapping[str, Any]) -> Sequence[OrderPaid]:
        """One order that can't be read must not hold up the others for ever."""
        try:
            return await self._paid(cafe, order, live=False)
        except FetchError as error:
            if error.retryable:
                raise
            log.error("octopos: order left out: %s", error)
            return []

    async def _paid(self, cafe: str, order: Mapping[str, Any], *, live: bool) -> list[OrderPaid]:
        if not order.get("paid") or not await self._is_of(cafe, order):
            return []
        station = order.get("pos_station_id")
        return [
            OrderPaid(
                order_id=str(order["order_number"]),
                total=money(order.get("total_paid"), "total_paid"),
                lines=tuple(lines(order)),
                phone=await self._phone(order.get("reward_card_id")),
                station=None if station is None else str(station),
                live=live,
            )
        ]

    async def _is_of(self, cafe: str, order: Mapping[str, Any]) -> bool:
        """An order names its station only; the station's location decides the cafe."""
        location = await self._api.location_of(order.get("pos_station_id"))
        return location is None or location == self._settings.cafes[cafe].location_id

    async def _phone(self, reward_card: Any) -> str | None:
        if not reward_card:
            return None
        try:
            card = one(await self._api.get(f"/reward_cards/{quote(str(reward_card), safe='')}"))
        except FetchError as error:
            if error.retryable:
                raise
            return None  # the card was deleted: the order still counts, by its visit
        phone = card.get("phone")
        return str(phone) if phone else None

    async def _refunded(
        self, refunds: Sequence[Mapping[str, Any]], orders: Sequence[Mapping[str, Any]]
    ) -> list[OrderRefunded]:
        """A refund names its order by a numeric id that an order doesn't carry, so the order's own
        list of refunds has to confirm whose it is."""
        events = []
        for row in refunds:
            amount = money(row.get("refund_amount"), "refund_amount") + money(
                row.get("refund_tax_amount") or "0", "refund_tax_amount"
            )
            number = await self._order_of(row, orders)
            events.append(
                OrderRefunded(order_id=number, refund_id=refund_id(row), amount=abs(amount))
            )
        return events

    async def _order_of(self, row: Mapping[str, Any], orders: Sequence[Mapping[str, Any]]) -> str:
        if named := order_number(row):
            return named
        by_id = [o for o in orders if row.get("order_id") in (o.get("id"), o.get("order_id"))]
        candidates = [str(row.get("order_id"))]
        candidates += [number for o in [*by_id, *orders] if (number := order_number(o))]
        for number in dict.fromkeys(candidates):
            listed = await self._api.get(
                f"/refunds?order_number={quote(number, safe='')}", missing=[]
            )
            if any(refund_id(other) == refund_id(row) for other in rows(listed)):
                return number
        return str(row.get("order_id"))

    # -- a reward's coupon ---------------------------------------------------------------------

    async def grant(self, cafe: str, discount: malva.Discount) -> malva.Coupon | None:
        asked: dict[str, Any] = {
            "location_id": self._settings.cafes[cafe].location_id,
            "name": f"{discount.name} ({discount.redemption_id})",
            "type": "generic",
            "applies_to": "order",
        }
        if discount.percentage is not None:
            asked["percentage"] = str(discount.percentage)
        else:
            asked["amount"] = str(discount.amount)
        code = one(await self._api.post("/coupons", asked)).get("coupon_code")
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
                f"its locations are {', '.join(map(str, sorted(known))) or 'none'}",
            )
            for slug, cafe in self._settings.cafes.items()
            if cafe.location_id not in known
        ] or [Finding("MALVA-I301", "ok", "Octopos answers")]


def _naive(moment: Any) -> str:
    return str(moment.strftime("%Y-%m-%d %H:%M:%S"))


def _back(created_at: str) -> str:
    """An hour before the newest order: what is found twice counts once, what is missed never."""
    try:
        newest = datetime.fromisoformat(created_at)
    except ValueError:
        return created_at
    return _naive(newest.replace(tzinfo=None) - _OVERLAP)
