"""Acme, a till system, for Malva.

Put the address of the vendor's documentation here. This Acme is made up:
signed webhooks that bring orders and refunds, an HTTP API that lists them. What is
its own bears its name. The vendor's own takes its place, from the top down,
and the contract kit (tests/test_contract.py) says what is missing.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import malva
from malva import FetchError, Finding, Line, OrderPaid, OrderRefunded, Polled, TillEvent
from pydantic import BaseModel, ConfigDict, Field, SecretStr

CONTRACT = 1

log = logging.getLogger(__name__)


class CafeSettings(BaseModel):
    """What a cafe is at Acme."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    place: str


class Settings(malva.Settings):
    """What stands in plugins.toml; what is secret is a SecretStr."""

    token: SecretStr
    webhook_secret: SecretStr
    api_base: str = "https://api.acme.example"
    poll_seconds: int = Field(default=60, ge=1)
    cafes: dict[str, CafeSettings]


@malva.hookimpl
def pos(settings: Settings, gateway: malva.Gateway) -> Acme:
    return Acme(settings, gateway)


class Acme:
    def __init__(self, settings: Settings, gateway: malva.Gateway) -> None:
        self._http = gateway.http
        self._api = settings.api_base.rstrip("/")
        self._cafes = settings.cafes
        self._secret = settings.webhook_secret.get_secret_value().encode()
        self._headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
        self.poll_every: timedelta | None = timedelta(seconds=settings.poll_seconds)

    def cafes(self) -> Sequence[str]:
        return tuple(self._cafes)

    # -- receive -------------------------------------------------------------------------------

    def verify(self, request: malva.Request, cafe: str) -> None:
        """HMAC-SHA256 of the raw body, as hex in X-Acme-Signature."""
        right = hmac.new(self._secret, request.body, hashlib.sha256).hexdigest()
        given = request.headers.get("x-acme-signature", "")
        if not hmac.compare_digest(given.encode(), right.encode()):
            raise malva.Refused("the signature is not Acme's")

    def parse(self, request: malva.Request, cafe: str) -> Sequence[TillEvent | malva.Fetch]:
        try:
            events = malva.parse_json(request.body)["events"]
        except (ValueError, TypeError, LookupError):
            raise malva.Unreadable("the body holds no events") from None
        return self._understood(events, cafe, live=True)

    def _understood(self, events: Any, cafe: str, *, live: bool) -> list[TillEvent]:
        """One bad event never spoils the others."""
        found = []
        for event in events if isinstance(events, list) else []:
            try:
                told = understand(event, self._cafes[cafe].place, live=live)
            except Exception as error:  # whatever is wrong with it, the others count
                log.warning("acme: an event left out: %s", type(error).__name__)
                continue
            if told is not None:
                found.append(told)
        return found

    # -- ask -----------------------------------------------------------------------------------

    async def fetch(self, cafe: str, ref: str) -> Sequence[TillEvent]:
        """For webhooks that bring an order's id only: `parse` gives malva.Fetch(id) then, and this
        asks for the order."""
        raise FetchError("a webhook tells everything", retryable=False)

    async def poll(self, cafe: str, cursor: str | None) -> Polled:
        """What has happened since the event that the cursor names; what a webhook told already may
        come again. The first poll asks where we stand, and tells nothing of the past."""
        told = await self._get(f"/events?after={cursor or 'now'}")
        events, last = told.get("events"), told.get("last")
        if not isinstance(events, list) or not isinstance(last, int):
            raise FetchError("Acme answered with something else")
        return Polled(tuple(self._understood(events, cafe, live=False)), str(last))

    async def _get(self, path: str) -> dict[str, Any]:
        """The answer's JSON. Raises FetchError and nothing else."""
        url = self._api + path
        try:
            answer = await self._http.request("GET", url, headers=self._headers)
        except OSError as error:  # TimeoutError too
            raise FetchError(type(error).__name__) from None
        if answer.status != 200:
            again = answer.status in (401, 403, 429) or answer.status >= 500
            raise FetchError(f"Acme: HTTP {answer.status}", retryable=again)
        try:
            document = malva.parse_json(answer.body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise FetchError("Acme answered with no JSON")
        return document

    async def grant(self, cafe: str, discount: malva.Discount) -> malva.Coupon | None:
        """A coupon that the cashier types in; None: a reward is taken off by hand."""
        return None

    async def check(self) -> Sequence[Finding]:
        try:
            me = await self._get("/me")
        except FetchError as error:
            hint = "look at token and api_base in plugins.toml"
            return [Finding("MALVA-E901", "error", f"Acme refused: {error}", hint)]
        return [Finding("MALVA-I901", "ok", f"Acme knows us as {me.get('name')}")]


def understand(event: Mapping[str, Any], place: str, *, live: bool) -> TillEvent | None:
    """An order or a refund; None for what is not for us, or for another place."""
    if event["type"] not in ("paid", "refunded") or event["place"] != place:
        return None
    order_id = _text(event["order"])
    if event["type"] == "refunded":
        refund_id = _text(event["refund"])
        return OrderRefunded(order_id=order_id, refund_id=refund_id, amount=money(event["amount"]))
    return OrderPaid(
        order_id=order_id,
        total=money(event["total"]),
        currency=event.get("currency"),
        lines=tuple(
            Line(_text(line["name"]), Decimal(line["quantity"]), money(line["price"]))
            for line in event.get("lines", [])
        ),
        station=event.get("station"),
        live=live,
    )


def money(value: Any) -> Decimal:
    """Major units, from text; a JSON number is a Decimal here, never a float."""
    amount = Decimal(str(value))
    if not amount.is_finite():
        raise ValueError("no amount")
    return amount


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("no text")
    return value
