"""The Octopos API on loopback: the vendor's OpenAPI 1.0, paths under /api/v2.

    with OctoposSimulator() as octopos:
        octopos.deliver_to(malva + "/pos/octopos/bife/webhook", token="s3cret")
        order = octopos.pays(station=11, lines=[("Cappuccino", 2, "250.00")])

The vendor declares no schema, order or retry of deliveries, no header for a call's token, no format
of times, no shape of a 401 and no field names for coupons: those are this simulator's assumptions.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from core.testkit.simulator import Call, Simulator

from . import octopos_orders as orders
from .octopos_methods import ROUTES, Methods
from .octopos_orders import Refused, money, naive

Order = dict[str, Any]
SHAPES: dict[str, Callable[[Order], Any]] = {
    "bare": lambda order: order,
    "data": lambda order: {"data": order},
    "list": lambda order: [order],
}


@dataclass
class Target:
    """Where the orders of a location (None: of all) are delivered to, and how authorised."""

    url: str
    headers: dict[str, str]
    location_id: int | None = None


class OctoposSimulator(Simulator):
    """A chain's till system: two locations, one station each, until told otherwise."""

    email = "owner@bife.example"
    password = "octopos-password"
    timezone = ZoneInfo("Europe/Belgrade")

    def __init__(self) -> None:
        super().__init__()
        self.locations: dict[int, dict[str, Any]] = {}
        self.location(2, "BIFE", {11: "Till 1"})
        self.location(3, "BIFE Dorćol", {21: "Till 1"})
        self.tokens: set[str] = set()
        self.webhooks: list[dict[str, Any]] = []
        self.targets: list[Target] = []
        self.orders: dict[str, Order] = {}
        self.refund_rows: list[dict[str, Any]] = []
        self.reward_cards: dict[int, dict[str, Any]] = {}
        self.coupons: dict[str, dict[str, Any]] = {}
        self.methods = Methods(self)
        self.shape = "bare"
        self.bearer = True
        """Whether a registered token arrives as `Bearer <token>` or bare."""
        self.numbers = iter(range(1, 1 << 40))
        self.about: dict[str, dict[str, Any]] = {}
        """Of an order, what the API doesn't show: location_id, order_id, updated, total, hidden."""

    # The till's side

    def location(self, id: int, name: str, stations: dict[int, str]) -> None:
        listed = [{"id": number, "name": called} for number, called in stations.items()]
        self.locations[id] = {"id": id, "name": name, "pos_station": listed}

    def pays(
        self,
        location_id: int = 2,
        *,
        station: int | None = None,
        lines: Sequence[Any] = (("Cappuccino", 1, "250.00"),),
        reward_card_id: int | None = None,
        coupon_code: str | None = None,
        order_number: str | None = None,
        order_id: int | None = None,
        paid: bool = True,
        total_paid: str | None = None,
        tips: str = "0",
        payment_type: str = "Cash",
        opened: timedelta = timedelta(minutes=7),
        hidden_reads: int = 0,
        deliver: bool = True,
        copies: int = 1,
        delay: float = 0.0,
        shape: str | None = None,
    ) -> Order:
        """An order, stored and told to every target; returned as the API shows it.

        `lines`: see `octopos_orders.read_lines`. `paid=False`: still open; `settle` it later.
        `total_paid`: a wrong one. `opened`: how long before now (`created_at` is the opening, never
        the payment). `hidden_reads`: so many reads answer 404 first. The rest: see `deliver`.
        """
        number = order_number or str(100_000 + next(self.numbers))
        listed = [orders.line_json(next(self.numbers), n) for n in orders.read_lines(lines)]
        coupon = self.take_coupon(coupon_code, listed)
        total = orders.order_total(listed)
        discount = sum((Decimal(line["total_discount"]) for line in listed), Decimal(0))
        stations = self.locations[location_id]["pos_station"]
        order = {
            "order_number": number,
            "pos_station_id": station or stations[0]["id"],
            "paid": paid,
            "discount": money(discount),
            "reward_card_id": reward_card_id,
            "total_paid": total_paid or money(total),
            "created_at": naive(self.now() - opened),
            "campaign_coupon_id": None,
            "generic_coupon_id": coupon,
            "all_lines": listed,
            "payment": [self.payment(total, payment_type, tips)] if paid else [],
        }
        with self.lock:
            self.orders[number] = order
            # Refunds name an order by an id that the order itself doesn't show.
            own = order_id or 900_000 + next(self.numbers)
            about = {"location_id": location_id, "updated": self.now(), "hidden": hidden_reads}
            self.about[number] = {**about, "order_id": own, "total": total}
        if deliver:
            self.deliver(number, copies=copies, delay=delay, shape=shape)
        return order

    def payment(self, total: Decimal, kind: str, tips: str) -> dict[str, Any]:
        return orders.payment_json(next(self.numbers), total, kind, tips)

    def settle(self, order_number: str, *, deliver: bool = True) -> Order:
        """An open order is paid."""
        order, about = self.orders[order_number], self.about[order_number]
        with self.lock:
            about["updated"] = self.now()
            order["payment"] = [self.payment(about["total"], "Cash", "0")]
            order["paid"] = True
        if deliver:
            self.deliver(order_number)
        return order

    def refunds(
        self, order_number: str, amount: str | None = None, *, tax: str = "0", tip: str = "0"
    ) -> dict[str, Any]:
        """Gives money back (all that is left, unless said). No webhook tells anybody."""
        about = self.about[order_number]
        earlier = [row for row in self.refund_rows if row["order_id"] == about["order_id"]]
        left = about["total"] - sum(Decimal(row["refund_amount"]) for row in earlier)
        row = {
            "id": next(self.numbers),
            "order_id": about["order_id"],
            "refund_amount": money(left if amount is None else amount),
            "refund_tax_amount": money(tax),
            "refund_tip_amount": money(tip),
            "created_at": naive(self.now()),
        }
        with self.lock:
            self.refund_rows.append(row)
            about["updated"] = self.now()
        return row

    def reward_card(self, phone: str, **fields: Any) -> int:
        """A card that exists already; its id goes into `pays(reward_card_id=…)`."""
        id = next(self.numbers)
        self.reward_cards[id] = {"id": id, "phone": phone, **fields}
        return id

    def hide(self, order_number: str, reads: int = 1) -> None:
        """The order isn't visible yet: so many reads of it answer 404."""
        self.about[order_number]["hidden"] = reads

    def expire_tokens(self) -> None:
        """Every token given so far answers 401 from now on."""
        self.tokens.clear()

    def now(self) -> datetime:
        return datetime.now(self.timezone)

    def take_coupon(self, code: str | None, lines: list[dict[str, Any]]) -> int | None:
        if code is None:
            return None
        coupon = self.coupons[code]
        assert not coupon["used"], f"coupon {code} was used before"
        coupon["used"] = True
        orders.take_off(lines, coupon)
        return int(coupon["id"])

    # Deliveries: once each, whatever the answer is; no retry is documented

    def deliver_to(
        self,
        url: str,
        *,
        auth_type: str = "token",
        token: str = "",
        bearer: bool = True,
        api_key: str = "",
        api_value: str = "",
        location_id: int | None = None,
    ) -> Target:
        """A target as if it were registered by POST /webhooks."""
        headers = authorise(auth_type, token, api_key, api_value, bearer=bearer)
        target = Target(url, headers, location_id)
        self.targets.append(target)
        return target

    def deliver(
        self,
        order_number: str,
        *,
        copies: int = 1,
        delay: float = 0.0,
        shape: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Sends an order to its targets, `copies` at the same moment, `delay` seconds from now.

        `shape`: bare, data or list. `headers`: other ones than agreed, e.g. a wrong token.
        """
        body = json.dumps(SHAPES[shape or self.shape](self.orders[order_number])).encode()
        location = self.about[order_number]["location_id"]
        self.deliver_raw(body, headers=headers, copies=copies, delay=delay, location_id=location)

    def deliver_raw(
        self,
        body: bytes,
        *,
        headers: dict[str, str] | None = None,
        content_type: str = "application/json",
        copies: int = 1,
        delay: float = 0.0,
        location_id: int | None = None,
    ) -> None:
        """Sends any body, rightly authorised unless `headers` says otherwise."""
        for target in self.targets:
            if None in (location_id, target.location_id) or target.location_id == location_id:
                chosen = target.headers if headers is None else headers
                full = {"Content-Type": content_type, **chosen}
                for _ in range(copies):
                    self.spawn(self.send_later(target.url, body, full, delay))

    async def send_later(
        self, url: str, body: bytes, headers: dict[str, str], delay: float
    ) -> None:
        await asyncio.sleep(delay)
        await self.post(url, body, headers, timeout=30)

    # Serving

    async def read(self, request: web.Request) -> Call:
        body = await request.read()
        given: dict[str, Any] = dict(request.query)
        path = request.path.removeprefix("/api/v2")
        name = f"{request.method} {path}"
        if path == request.path:  # not under /api/v2
            return Call(name, given, dict(request.headers), body=body)
        for route in ROUTES:
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route)
            if found := re.fullmatch(pattern, name):
                name, given = route, given | found.groupdict()
        try:
            sent = json.loads(body) if body else {}
        except ValueError:
            sent = {}
        if isinstance(sent, dict):
            given |= sent
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        token = token if scheme == "Bearer" else ""
        return Call(name, given, dict(request.headers), body=body, token=token)

    async def answer(self, call: Call) -> web.Response:
        try:
            if call.name != "POST /authenticate" and call.token not in self.tokens:
                raise Refused(401, "Unauthorized")
            with self.lock:
                result = self.methods(call.name, call.params)
        except Refused as refusal:
            body = self.error_body(refusal.code, refusal.message, None)
            return web.json_response(text=body, status=refusal.code)
        return web.json_response(result)

    def error_body(
        self, status: int, description: str | list[str] | None, retry_after: float | None
    ) -> str:
        return json.dumps({"error": {"message": description or "Error", "code": status}})


def authorise(kind: str, token: str, key: str, value: str, *, bearer: bool) -> dict[str, str]:
    """The header of a delivery: the vendor says what it holds for `api`, but not whether Bearer."""
    if kind == "token":
        return {"Authorization": f"Bearer {token}" if bearer else token}
    return {key: value} if kind == "api" else {}
