"""The till on the demo's front page: what is pressed there goes to the till API, just as a till
sends it, and what came of it is said in words.

The till's token is added on the way (`/demo/till/…`), so a browser never has it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from core.domain import codes, redeeming
from core.domain.money import to_major, to_minor
from core.i18n import N_, Words
from core.phrases import name_in, signed
from core.services.desk import DemoCafe
from portal.frame import Frame
from portal.media import text_of
from portal.till.refusals import REFUSED

MOST_OF_ONE = 99
UNIT = "points"  # of the sample chain
API_SECONDS = 10.0

REFUSALS = {
    **REFUSED,
    "locked": N_("Too many wrong codes: this till waits for a minute now."),
    "no_card": N_("There is no card on the guest's screen yet. Join in the chat first."),
    "incomplete": N_("Type the card's six digits, or the eight characters of a picked reward."),
    "empty": N_("Ring up something first."),
}
NOT_ACCEPTED = N_("The till didn't accept that.")
"""What the till's person is told, by the API's code or our own."""

Sent = Mapping[str, Any]
Told = dict[str, Any]


class Refused(Exception):
    """The page asked for what can't be; its code is one of REFUSALS, or `invalid`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class DemoTill:
    """A cafe's till, in the language of whoever looks at the page. Each action takes what the page
    sent, and tells what came of it: always `said`, a line for "What happens". Refused; ValueError,
    TimeoutError or OSError where the API can't be understood, or doesn't answer."""

    def __init__(self, frame: Frame, api: str, cafe: DemoCafe, w: Words) -> None:
        self._frame = frame
        self._api = api
        self._cafe = cafe
        self._w = w

    # -- who it is, and what they picked ---------------------------------------------------------

    async def scan(self, sent: Sent) -> Told:
        """`{"typed": text}`, `{"qr": text}`, or `{"picture": "/media/…"}`: what the guest's screen
        shows, as a camera would see it. A card tells who it is, a picked reward also that."""
        if "typed" in sent:
            return await self._typed(str(sent["typed"]))
        text = self._seen(sent)
        if not text:
            raise Refused("no_card")
        if redeeming.scanned(text):
            return await self._look({"qr": text})
        return await self._identify({"qr": text})

    async def _typed(self, text: str) -> Told:
        if codes.typed(text):
            return await self._identify({"code": text})
        if redeeming.typed(text):
            return await self._look({"code": text})
        raise Refused("incomplete")

    def _seen(self, sent: Sent) -> str:
        if picture := sent.get("picture"):
            name = urlsplit(str(picture)).path.rpartition("/")[2]
            return text_of(self._frame.desk, name) or ""
        return str(sent.get("qr") or "")

    async def _identify(self, proof: Sent) -> Told:
        found = await self._call("identify", proof)
        name, points = found["guest"]["name"], self._w.points(found["balance"], UNIT)
        outlook = ""
        if following := found["next_reward"]:
            missing = self._w.points(following["missing"], UNIT)
            outlook = self._w.text(
                "{points} to go until “{reward}”.", points=missing, reward=following["name"]
            )
        said = self._w.text("{name} is at the till, with {points}.", name=name, points=points)
        rewards = [self._reward(one) for one in found["rewards"]]
        return {"said": said, "outlook": outlook, "rewards": rewards, **self._visit(found)}

    async def _look(self, proof: Sent) -> Told:
        found = await self._call("redemptions", proof)
        said = self._w.text(
            "{name} shows what was picked: {rewards}.",
            name=found["guest"]["name"],
            rewards=_names(found),
        )
        return {"said": said, "picked": self._picked(found), **self._visit(found)}

    # -- orders ----------------------------------------------------------------------------------

    async def order(self, sent: Sent) -> Told:
        """`{"id", "visit"?, "items": {sku: quantity}}`; `balance` only where it is a guest's."""
        currency = self._cafe.currency
        lines = _lines(self._cafe, sent.get("items"), self._w)
        total = sum(to_minor(Decimal(line["price"]) * line["quantity"], currency) for line in lines)
        order: dict[str, Any] = {
            "order_id": _id(sent),
            "total": to_major(total, currency),
            "currency": currency,
            "items": lines,
        }
        if sent.get("visit"):
            order["visit"] = str(sent["visit"])
        counted = await self._call("orders", order, key=order["order_id"])
        paid = self._w.money(total, currency)
        if counted["balance"] is None:
            said = self._w.text(
                "{total} paid. Nobody showed a card, so the order waits unclaimed.", total=paid
            )
            return {"said": said, "points": ""}
        points = signed(counted["points"], UNIT, self._w)
        said = self._w.text("{total} paid: {points}.", total=paid, points=points)
        return {"said": said, "points": points, "balance": self._balance(counted["balance"])}

    async def refund(self, sent: Sent) -> Told:
        """`{"id"}`: all of that order."""
        order_id = _id(sent)
        refund = {"refund_id": f"{order_id}-refund"}
        path = f"orders/{quote(order_id, safe='')}/refunds"
        done = await self._call(path, refund, key=refund["refund_id"])
        points = signed(done["points"], UNIT, self._w)
        said = self._w.text("The order is refunded: {points}.", points=points)
        return {"said": said, "points": points, "balance": self._balance(done["balance"] or 0)}

    # -- rewards ---------------------------------------------------------------------------------

    async def start(self, sent: Sent) -> Told:
        """`{"visit", "reward"}`: for the guest at the till."""
        wanted = {"visit": str(sent.get("visit", "")), "reward_ids": [str(sent.get("reward", ""))]}
        started = await self._call("redemptions", wanted)
        name, rewards = started["guest"]["name"], _names(started)
        if started["status"] == "awaiting_guest":
            said = self._w.text(
                "{name} is asked on the phone: {rewards}?", name=name, rewards=rewards
            )
        else:
            said = self._w.text("{name} would like this: {rewards}.", name=name, rewards=rewards)
        return {"said": said, "picked": self._picked(started), **self._visit(started)}

    async def confirm(self, sent: Sent) -> Told:
        """`{"redemption"}`; `{"waiting": true}` alone while the guest has not said yes."""
        which = _redemption(sent)
        try:
            done = await self._call(f"redemptions/{which}/confirm", None, key=f"confirm-{which}")
        except Refused as refused:
            if refused.code == "awaiting_guest":
                return {"waiting": True}
            raise
        points = signed(done["points"], UNIT, self._w)
        said = self._w.text("Redeemed: {rewards}, {points}.", rewards=_names(done), points=points)
        return {"said": said, "points": points, "balance": self._balance(done["balance"])}

    async def cancel(self, sent: Sent) -> Told:
        """`{"redemption"}`"""
        await self._call(f"redemptions/{_redemption(sent)}/cancel", None)
        return {"said": self._w.text("Cancelled: the points are free again.")}

    # -- on the way to the API -------------------------------------------------------------------

    async def _call(self, path: str, body: Sent | None, key: str | None = None) -> Any:
        headers = {
            "Authorization": f"Bearer {self._cafe.till_token}",
            "Accept-Language": self._w.language,
        }
        if key is not None:
            headers["Idempotency-Key"] = key
        answer = await self._frame.gateway.http.request(
            "POST", f"{self._api}/api/v1/{path}", headers=headers, json=body, timeout=API_SECONDS
        )
        document = answer.json()
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise Refused(document["error"]["code"])
        return document

    # -- in words --------------------------------------------------------------------------------

    def _visit(self, found: Sent) -> Told:
        return {
            "visit": found["visit"],
            "name": found["guest"]["name"],
            "balance": self._balance(found["balance"]),
        }

    def _balance(self, points: int) -> Told:
        return {"points": points, "text": self._w.points(points, UNIT)}

    def _reward(self, one: Sent) -> Told:
        cost = {"points": one["cost"], "cost": self._w.points(one["cost"], UNIT)}
        return {"id": one["id"], "name": one["name"], **cost}

    def _picked(self, found: Sent) -> Told:
        return {
            "id": found["id"],
            "names": _names(found),
            "points": signed(-found["points"], UNIT, self._w),
            "waiting": found["status"] == "awaiting_guest",
        }


Action = Callable[[DemoTill, Sent], Awaitable[Told]]

ACTIONS: dict[str, Action] = {
    "scan": DemoTill.scan,
    "order": DemoTill.order,
    "refund": DemoTill.refund,
    "start": DemoTill.start,
    "confirm": DemoTill.confirm,
    "cancel": DemoTill.cancel,
}
"""By the last part of their address."""


def _names(found: Sent) -> str:
    return ", ".join(one["name"] for one in found["rewards"])


def _lines(cafe: DemoCafe, items: Any, w: Words) -> list[dict[str, Any]]:
    """The order's lines as the till API takes them; prices are the till's own, not the page's."""
    if not isinstance(items, dict):
        raise Refused("invalid")
    lines = []
    for product in cafe.products:
        quantity = items.get(product.sku, 0)
        if not isinstance(quantity, int) or not 0 <= quantity <= MOST_OF_ONE:
            raise Refused("invalid")
        if quantity:
            name = name_in(product.names, w)
            line = {"sku": product.sku, "name": name, "quantity": quantity, "price": product.price}
            lines.append(line)
    if not lines:
        raise Refused("empty")
    return lines


def _id(sent: Sent) -> str:
    id_ = sent.get("id")
    if not isinstance(id_, str) or not id_ or len(id_) > 64 or not id_.isalnum():
        raise Refused("invalid")
    return id_


def _redemption(sent: Sent) -> str:
    id_ = str(sent.get("redemption", ""))
    if not redeeming.is_id(id_):
        raise Refused("invalid")
    return id_
