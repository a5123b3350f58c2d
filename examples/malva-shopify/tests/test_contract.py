"""Shopify's side, as Malva's contract kit asks about it: signed webhooks, and an Admin API."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import malva
import pytest

import malva_shopify

SECRET = "the-client-secret-of-the-app"
TOKEN = "shpat_0123456789abcdef0123456789abcdef"
LOCATION = 655441491


def throttled() -> dict[str, Any]:
    """https://shopify.dev/docs/api/usage/rate-limits"""
    return {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}


class Shopify:
    name = "shopify"
    signature = "x-shopify-hmac-sha256"
    calls = "*"
    secrets = (SECRET, TOKEN)
    lacks: ClassVar = {
        "batches": "Shopify tells one thing in each webhook",
        "fetch": "a webhook brings the whole order",
        "coupons": "a discount is taken off by hand: none is made at Shopify",
    }
    refusals: ClassVar = {  # https://shopify.dev/docs/api/admin-graphql#status-and-error-codes
        "too_many": (200, throttled()),
        "down": (503, {"errors": "Service Unavailable"}),
        "final": (400, {"errors": "Bad Request"}),
        "unauthorized": (401, {"errors": "[API] Invalid API key or access token"}),
    }

    def __init__(self, provider: Any) -> None:
        self.provider = provider
        self.orders: dict[str, dict[str, Any]] = {}
        self.written: dict[str, str] = {}
        provider.answers = self.answer

    def table(self, cafe: str) -> str:
        return f"""
            module = "malva_shopify"
            shop = "bife.myshopify.com"
            client_secret = "{SECRET}"
            access_token = "{TOKEN}"
            api_base = "{self.provider.url}"
            poll_seconds = 3600
            cafes.{cafe}.location_id = {LOCATION}
        """

    # -- webhooks: https://shopify.dev/docs/api/webhooks -----------------------------------------

    def order_id(self, number: int) -> str:
        return str(5_940_139_491_000 + number)

    def paid(self, order_id: str, total: str) -> Any:
        row = {
            "id": int(order_id),
            "currency": "RSD",
            "total_price": total,
            "total_tip_received": "0.00",
            "location_id": LOCATION,
            "processed_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "line_items": [{"name": "Cappuccino", "quantity": 1, "price": total, "sku": "CAP"}],
        }
        self.orders[order_id] = as_node(row)
        return {"topic": "orders/paid", **row}

    def refunded(self, order_id: str, refund_id: str, amount: str) -> Any:
        given_back = {"kind": "refund", "status": "success", "amount": amount}
        row = {"id": int(refund_id), "order_id": int(order_id), "transactions": [given_back]}
        return {"topic": "refunds/create", **row}

    def unknown(self, number: int) -> Any:
        return {"topic": "orders/foretold", "id": number}

    def broken(self, number: int) -> Any:
        return {"topic": "orders/paid", "id": number, "location_id": LOCATION, "currency": "RSD"}

    def webhook(self, url: str, events: Sequence[Any]) -> malva.Request:
        (event,) = events
        row = {key: value for key, value in event.items() if key != "topic"}
        return self.signed(url, json.dumps(row).encode(), event["topic"])

    def signed(self, url: str, body: bytes, topic: str = "orders/paid") -> malva.Request:
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).digest()
        headers = {
            "content-type": "application/json",
            "x-shopify-topic": topic,
            "x-shopify-shop-domain": "bife.myshopify.com",
            self.signature: base64.b64encode(digest).decode(),
        }
        return malva.Request("POST", url, headers, {}, body)

    # -- the API: https://shopify.dev/docs/api/admin-graphql -------------------------------------

    def answer(self, call: Any) -> tuple[int, Any]:
        if call.headers.get("X-Shopify-Access-Token") != TOKEN:
            status, body = self.refusals["unauthorized"]
            return status, body
        query, variables = call.params["query"], call.params["variables"]
        if "metafieldsSet" in query:
            points = variables["points"]
            self.written[points["ownerId"]] = points["value"]
            return 200, {"data": {"metafieldsSet": {"userErrors": []}}}
        if "locations(" in query:
            return 200, {"data": {"locations": {"nodes": [{"legacyResourceId": str(LOCATION)}]}}}
        since = re.search(r"updated_at:>='([^']+)'", variables["changed"])
        assert since is not None
        nodes = [node for node in self.orders.values() if node["updatedAt"] >= since[1]]
        return 200, {"data": {"orders": {"nodes": nodes}}}


def as_node(row: dict[str, Any]) -> dict[str, Any]:
    """The same order as the Admin API shows it."""
    return {
        "legacyResourceId": str(row["id"]),
        "updatedAt": datetime.now(UTC).isoformat(),
        "processedAt": row["processed_at"],
        "phone": None,
        "retailLocation": {"legacyResourceId": str(row["location_id"])},
        "totalPriceSet": money(row["total_price"], row["currency"]),
        "totalTipReceivedSet": money(row["total_tip_received"], row["currency"]),
        "lineItems": {
            "nodes": [
                {
                    "name": line["name"],
                    "sku": line["sku"],
                    "quantity": line["quantity"],
                    "originalUnitPriceSet": money(line["price"], row["currency"]),
                }
                for line in row["line_items"]
            ]
        },
        "refunds": [],
    }


def money(amount: str, currency: str) -> dict[str, Any]:
    return {"shopMoney": {"amount": amount, "currencyCode": currency}}


@pytest.mark.malva(vendor=Shopify)
def test_the_contract(pos_contract: Callable[[], None]) -> None:
    pos_contract()


def counted(**more: Any) -> malva.OrderCounted:
    facts = {"cafe": "bife", "order_id": "17", "guest_id": "g", "points": 85, "balance": 850}
    return malva.OrderCounted(**{**facts, **more})


@pytest.mark.malva(vendor=Shopify)
def test_the_points_of_an_order_are_written_on_it(pos_trial: Any) -> None:
    with pos_trial.alone() as alone:

        async def tell() -> None:
            malva_shopify.on_event(counted())
            malva_shopify.on_event(counted(order_id="18", guest_id=None))
            malva_shopify.on_event(counted(order_id="19", cafe="another"))
            malva_shopify.on_event(counted(order_id="of the till API"))
            await asyncio.sleep(0.2)

        alone.run(tell())
    assert pos_trial.vendor.written == {"gid://shopify/Order/17": "+85, balance 850"}
