"""Shopify POS: https://shopify.dev/docs/api/webhooks and https://shopify.dev/docs/api/admin-graphql

A webhook brings the whole order, so nothing is fetched; a poll finds what was missed, since Shopify
gives a webhook up after four hours. Once an order is counted, its points are written on it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import timedelta
from weakref import WeakSet

import malva
from malva import FetchError, Finding, OrderCounted, Polled, Refused, TillEvent, Unreadable
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from malva_shopify.admin import Admin
from malva_shopify.orders import order, refund

CONTRACT = 1


class CafeSettings(BaseModel):
    """Which location of the shop the cafe is."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    location_id: int


class Settings(malva.Settings):
    """`shop` is `<name>.myshopify.com`; `client_secret` signs the webhooks of the custom app whose
    `access_token` may read orders (`read_orders`) and write on them (`write_orders`)."""

    shop: str = Field(pattern=r"^[a-z0-9-]+\.myshopify\.com$")
    client_secret: SecretStr
    access_token: SecretStr
    api_base: str | None = None
    api_version: str = Field(default="2026-10", pattern=r"^\d{4}-\d\d$")
    poll_seconds: int = Field(default=300, ge=10)
    cafes: dict[str, CafeSettings]


@malva.hookimpl
def pos(settings: Settings, gateway: malva.Gateway) -> Shopify:
    shopify = Shopify(settings, gateway)
    RUNNING.add(shopify)
    return shopify


@malva.hookimpl
def on_event(event: malva.DomainEvent) -> None:
    """An order's points are shown on it, where the staff looks: in Shopify POS and in the admin."""
    if isinstance(event, OrderCounted) and event.guest_id is not None:
        for shopify in RUNNING:
            shopify.show(event)


class Shopify:
    def __init__(self, settings: Settings, gateway: malva.Gateway) -> None:
        self._cafes = {slug: cafe.location_id for slug, cafe in settings.cafes.items()}
        self._secret = settings.client_secret.get_secret_value().encode()
        self._shop = settings.shop
        self._gateway = gateway
        base = settings.api_base or f"https://{settings.shop}"
        token = settings.access_token.get_secret_value()
        self._admin = Admin(f"{base}/admin/api/{settings.api_version}", token, gateway.http)
        self.poll_every: timedelta | None = timedelta(seconds=settings.poll_seconds)

    def cafes(self) -> Sequence[str]:
        return tuple(self._cafes)

    # -- receive -------------------------------------------------------------------------------

    def verify(self, request: malva.Request, cafe: str) -> None:
        """https://shopify.dev/docs/apps/build/webhooks/subscribe/https#step-2-validate-the-origin-of-your-webhook-to-ensure-its-coming-from-shopify"""
        digest = hmac.new(self._secret, request.body, hashlib.sha256).digest()
        given = request.headers.get("x-shopify-hmac-sha256", "")
        if not hmac.compare_digest(given.encode(), base64.b64encode(digest)):
            raise Refused("the signature is not Shopify's")

    def parse(self, request: malva.Request, cafe: str) -> Sequence[TillEvent]:
        """Topics besides these two are nothing to us, nor are other locations and the web shop."""
        read = {"orders/paid": order, "refunds/create": refund}.get(
            request.headers.get("x-shopify-topic", "")
        )
        if read is None:
            return []
        try:
            event = read(malva.parse_json(request.body), self._cafes[cafe])
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise Unreadable(f"neither order nor refund: {type(error).__name__}") from None
        return [] if event is None else [event]

    # -- ask -----------------------------------------------------------------------------------

    async def fetch(self, cafe: str, ref: str) -> Sequence[TillEvent]:
        raise FetchError("a webhook of Shopify's tells everything", retryable=False)

    async def poll(self, cafe: str, cursor: str | None) -> Polled:
        """Every order that has changed since the cursor, a time of Shopify's own; the last ones
        come again, and Malva counts each once. The first poll asks for nothing: it begins."""
        if cursor is None:
            return Polled((), self._gateway.now().isoformat())
        events, latest = await self._admin.changed(cursor, self._cafes[cafe])
        return Polled(tuple(events), latest)

    async def grant(self, cafe: str, discount: malva.Discount) -> malva.Coupon | None:
        """A reward is taken off at the till by hand."""
        return None

    # -- tell ----------------------------------------------------------------------------------

    def show(self, event: OrderCounted) -> None:
        """Writes an order's points on it, if it is one of ours; nobody waits for that."""
        if event.cafe in self._cafes and event.order_id.isdigit():
            told = f"{event.points:+d}, balance {event.balance}"
            self._gateway.background(self._admin.write_points(event.order_id, told))

    async def check(self) -> Sequence[Finding]:
        try:
            locations = await self._admin.locations()
        except FetchError as error:
            hint = "check shop and access_token, and that the app may read locations"
            return [Finding("MALVA-E911", "error", f"Shopify refused: {error}", hint)]
        return [
            Finding("MALVA-E912", "error", f"{self._shop} has no location {id_} (cafe {slug})")
            for slug, id_ in self._cafes.items()
            if id_ not in locations
        ] or [Finding("MALVA-I911", "ok", "Shopify answers")]


RUNNING: WeakSet[Shopify] = WeakSet()
"""The shops that run here: a hook is the module's, and has no instance of its own."""
