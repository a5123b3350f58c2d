"""The Octopos API's calls as the simulator carries them out."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .octopos_orders import Refused, read_coupon

if TYPE_CHECKING:
    from .octopos import OctoposSimulator

ROUTES = [
    "POST /authenticate",
    "GET /webhooks",
    "POST /webhooks",
    "GET /orders/{order_number}",
    "POST /get_orders_by_filter",
    "GET /refunds",
    "POST /get_refunds_by_filter",
    "GET /reward_cards/{id}",
    "POST /reward_cards",
    "GET /coupons/{id}",
    "POST /coupons",
]


class Methods:
    """Every public method is a route: its verb and the first part of its path."""

    def __init__(self, octopos: OctoposSimulator) -> None:
        self.octopos = octopos

    def __call__(self, route: str, given: dict[str, Any]) -> Any:
        if route not in ROUTES:
            raise Refused(404, "Not found")
        verb, _, path = route.partition(" /")
        return getattr(self, f"{verb}_{path.split('/')[0]}".lower())(given)

    def post_authenticate(self, given: dict[str, Any]) -> Any:
        if (given.get("email"), given.get("password")) != (
            self.octopos.email,
            self.octopos.password,
        ):
            raise Refused(400, "Invalid email or password")
        token = secrets.token_hex(20)
        self.octopos.tokens.add(token)
        return {"token": token, "locations": list(self.octopos.locations.values())}

    def get_webhooks(self, given: dict[str, Any]) -> Any:
        return self.octopos.webhooks

    def post_webhooks(self, given: dict[str, Any]) -> Any:
        """Registers; the same again is another registration, and everything comes twice."""
        kind = given.get("auth_type") or ""
        needed = {"token": ["token_value"], "api": ["api_key", "api_value"]}.get(kind, [])
        required = ["name", "type", "url", "location_id", *needed]
        problems = [f"{name} is required" for name in required if not given.get(name)]
        if given.get("type") not in {"ORD", "PRO", None}:
            problems.append("type must be ORD or PRO")
        if kind not in {"token", "api", ""}:
            problems.append("auth_type must be token, api or empty")
        if problems:
            raise Refused(400, problems)
        location = self._known_location(given)
        webhook = {"id": next(self.octopos.numbers), **given}
        self.octopos.webhooks.append(webhook)
        if given["type"] == "ORD":
            self.octopos.deliver_to(
                given["url"],
                auth_type=kind,
                token=given.get("token_value") or "",
                bearer=self.octopos.bearer,
                api_key=given.get("api_key") or "",
                api_value=given.get("api_value") or "",
                location_id=location,
            )
        return webhook

    def get_orders(self, given: dict[str, Any]) -> Any:
        order = self.octopos.orders.get(given["order_number"])
        if order is None or self._hidden(given["order_number"], count=True):
            raise Refused(404, "Order not found")
        return order

    def post_get_orders_by_filter(self, given: dict[str, Any]) -> Any:
        """All that match, in one list; no paging is documented."""
        location, after = self._known_location(given), read_time(given)
        return [
            order
            for number, order in self.octopos.orders.items()
            if self.octopos.about[number]["location_id"] == location
            and (
                after is None or self.octopos.about[number]["updated"].replace(tzinfo=None) > after
            )
            and not self._hidden(number)
        ]

    def get_refunds(self, given: dict[str, Any]) -> Any:
        number = given.get("order_number")
        if given.get("refund_id"):
            return [r for r in self.octopos.refund_rows if str(r["id"]) == str(given["refund_id"])]
        if not number:
            raise Refused(400, ["order_number or refund_id is required"])
        if number not in self.octopos.orders or self._hidden(number):
            raise Refused(404, "Order not found")
        return [
            r
            for r in self.octopos.refund_rows
            if r["order_id"] == self.octopos.about[number]["order_id"]
        ]

    def post_get_refunds_by_filter(self, given: dict[str, Any]) -> Any:
        location, after = self._known_location(given), read_time(given)
        here = {a["order_id"] for a in self.octopos.about.values() if a["location_id"] == location}
        recent = [
            r
            for r in self.octopos.refund_rows
            if after is None or datetime.fromisoformat(r["created_at"]) >= after
        ]
        return [row for row in recent if row["order_id"] in here]

    def get_reward_cards(self, given: dict[str, Any]) -> Any:
        card = self.octopos.reward_cards.get(int(given["id"])) if given["id"].isdigit() else None
        if card is None:
            raise Refused(404, "Reward card not found")
        return card

    def post_reward_cards(self, given: dict[str, Any]) -> Any:
        if not given.get("phone"):
            raise Refused(400, ["phone is required"])
        return self.octopos.reward_cards[self.octopos.reward_card(**given)]

    def get_coupons(self, given: dict[str, Any]) -> Any:
        found = [c for c in self.octopos.coupons.values() if str(c["id"]) == given["id"]]
        if not found:
            raise Refused(404, "Coupon not found")
        return found[0]

    def post_coupons(self, given: dict[str, Any]) -> Any:
        self._known_location(given)
        coupon = read_coupon(given)
        code = secrets.token_hex(4).upper()
        self.octopos.coupons[code] = {
            "id": next(self.octopos.numbers),
            "coupon_code": code,
            "used": False,
            **coupon,
        }
        return self.octopos.coupons[code]

    # What the methods share

    def _known_location(self, given: dict[str, Any]) -> int:
        raw = str(given.get("location_id") or "")
        if not raw:
            raise Refused(400, ["location_id is required"])
        if not raw.isdigit() or int(raw) not in self.octopos.locations:
            raise Refused(404, "Location not found")
        return int(raw)

    def _hidden(self, order_number: str, *, count: bool = False) -> bool:
        about = self.octopos.about[order_number]
        hidden = bool(about["hidden"] > 0)
        about["hidden"] -= int(hidden and count)
        return hidden


def read_time(given: dict[str, Any]) -> datetime | None:
    """`last_updated_after`, on the till's clock; a zone, where one is given, is ignored."""
    raw = given.get("last_updated_after")
    try:
        return datetime.fromisoformat(raw).replace(tzinfo=None) if raw else None
    except (TypeError, ValueError):
        raise Refused(400, ["last_updated_after is not a valid date"]) from None
