"""The Admin API, by GraphQL: https://shopify.dev/docs/api/admin-graphql"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import malva
from malva import FetchError, Line, OrderPaid, OrderRefunded, TillEvent

from malva_shopify.orders import moment, money

log = logging.getLogger(__name__)

CHANGED = """
query ($changed: String!) {
  orders(first: 100, sortKey: UPDATED_AT, query: $changed) {
    nodes {
      legacyResourceId updatedAt processedAt phone
      retailLocation { legacyResourceId }
      totalPriceSet { shopMoney { amount currencyCode } }
      totalTipReceivedSet { shopMoney { amount } }
      lineItems(first: 100) {
        nodes { name sku quantity originalUnitPriceSet { shopMoney { amount } } }
      }
      refunds(first: 50) { legacyResourceId totalRefundedSet { shopMoney { amount } } }
    }
  }
}
"""
"""https://shopify.dev/docs/api/admin-graphql/latest/queries/orders"""
PAID = "financial_status:paid OR financial_status:partially_refunded OR financial_status:refunded"
LOCATIONS = "{ locations(first: 100) { nodes { legacyResourceId } } }"
WRITE = """
mutation ($points: MetafieldsSetInput!) {
  metafieldsSet(metafields: [$points]) { userErrors { message } }
}
"""
"""https://shopify.dev/docs/api/admin-graphql/latest/mutations/metafieldsSet"""

Node = Mapping[str, Any]


class Admin:
    def __init__(self, base: str, token: str, http: malva.Http) -> None:
        self._url = f"{base}/graphql.json"
        self._headers = {"X-Shopify-Access-Token": token}
        self._http = http

    async def changed(self, since: str, location: int) -> tuple[Sequence[TillEvent], str]:
        """What was paid or given back at the location since then, and the latest change of all:
        the first hundred changes, so that the next poll goes on from there."""
        wanted = f"updated_at:>='{since}' AND ({PAID})"
        nodes = (await self._ask(CHANGED, changed=wanted))["orders"]["nodes"]
        events: list[TillEvent] = []
        for node in nodes:
            try:
                events += _events(node, location)
            except (ArithmeticError, LookupError, TypeError, ValueError) as error:
                log.warning("shopify: an order left out: %s", type(error).__name__)
        return events, max([since, *(str(node["updatedAt"]) for node in nodes)], key=moment)

    async def locations(self) -> set[int]:
        nodes = (await self._ask(LOCATIONS))["locations"]["nodes"]
        return {int(node["legacyResourceId"]) for node in nodes}

    async def write_points(self, order_id: str, told: str) -> None:
        """A courtesy: where it fails, the points count all the same."""
        points = {
            "ownerId": f"gid://shopify/Order/{order_id}",
            "namespace": "malva",
            "key": "points",
            "type": "single_line_text_field",
            "value": told,
        }
        try:
            answer = await self._ask(WRITE, points=points)
        except FetchError as error:
            log.warning("shopify: points not shown on order %s: %s", order_id, error)
        else:
            if answer["metafieldsSet"]["userErrors"]:
                log.warning("shopify: points not shown on order %s: refused", order_id)

    async def _ask(self, query: str, **variables: Any) -> Any:
        """`data` of the answer; FetchError. A query that costs too much at the moment is refused
        with 200: https://shopify.dev/docs/api/usage/rate-limits"""
        asked = {"query": query, "variables": variables}
        try:
            answer = await self._http.request("POST", self._url, headers=self._headers, json=asked)
        except OSError as error:  # TimeoutError too
            raise FetchError(type(error).__name__) from None
        if answer.status != 200:
            again = answer.status in (401, 402, 403, 423, 429) or answer.status >= 500
            raise FetchError(f"HTTP {answer.status}", retryable=again, retry_after=_wait(answer))
        try:
            document = answer.json()
        except ValueError:
            raise FetchError("no JSON") from None
        if not isinstance(document, dict) or not isinstance(document.get("data"), dict):
            codes = _codes(document)
            raise FetchError(", ".join(codes) or "no data", retryable=codes in ([], ["THROTTLED"]))
        return document["data"]


def _events(node: Node, location: int) -> list[TillEvent]:
    """Found late, so no open visit may claim it."""
    where = node["retailLocation"]
    if where is None or int(where["legacyResourceId"]) != location:
        return []
    order_id, total = str(node["legacyResourceId"]), node["totalPriceSet"]["shopMoney"]
    lines = [
        Line(
            name=str(line["name"]),
            quantity=Decimal(int(line["quantity"])),
            price=_amount(line["originalUnitPriceSet"]),
            sku=line["sku"] or None,
        )
        for line in node["lineItems"]["nodes"]
    ]
    paid = OrderPaid(
        order_id=order_id,
        total=money(total["amount"]) - _amount(node["totalTipReceivedSet"]),
        currency=str(total["currencyCode"]),
        paid_at=moment(node["processedAt"]),
        lines=tuple(lines),
        phone=malva.told_phone(node["phone"]) if node["phone"] else None,
        live=False,
    )
    return [
        paid,
        *(
            OrderRefunded(order_id=order_id, refund_id=str(row["legacyResourceId"]), amount=amount)
            for row in node["refunds"]
            if (amount := _amount(row["totalRefundedSet"]))
        ),
    ]


def _amount(of: Node) -> Decimal:
    return money(of["shopMoney"]["amount"])


def _codes(document: Any) -> list[str]:
    """Of the errors in an answer: https://shopify.dev/docs/api/admin-graphql#status-and-error-codes"""
    errors = document.get("errors") if isinstance(document, dict) else None
    if not isinstance(errors, list):
        return []
    found = [one.get("extensions") for one in errors if isinstance(one, dict)]
    return [str(one.get("code")) for one in found if isinstance(one, dict)]


def _wait(answer: malva.HttpResponse) -> float | None:
    told = answer.headers.get("retry-after", "")
    return float(told) if told.replace(".", "", 1).isdigit() and told.isascii() else None
