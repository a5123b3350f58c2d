"""The demo's front page: the guest's chat, a till and the guest's card side by side.

The till is a real one: what is done on the page goes to the till API, just as a till sends it. Its
token is added on the way (`/demo/till/…`), so a browser never has it. Only the demo has any of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from core.domain.money import exponent, to_major, to_minor
from core.i18n import N_, Words, words
from core.phrases import name_in, signed
from core.services.desk import Demo, DemoCafe
from portal.frame import Frame
from portal.join import JoinPage
from portal.media import text_of
from portal.scripts import own_site, read_object, says_json

MOST_OF_ONE = 99
UNIT = "points"  # of the sample chain
API_SECONDS = 10.0

REFUSALS = {
    "unknown_code": N_("Nobody's open card shows that code. Is it still on the screen?"),
    "code_used": N_("That code was used already: the card shows a fresh one."),
    "locked": N_("Too many wrong codes: this till waits for a minute now."),
    "no_card": N_("There is no card on the guest's screen yet. Join in the chat first."),
    "empty": N_("Ring up something first."),
}
NOT_ACCEPTED = N_("The till didn't accept that.")
"""What the till's person is told, by the API's code or our own."""


Action = Callable[[DemoCafe, Mapping[str, Any], Words], Awaitable[dict[str, Any]]]


class Refused(Exception):
    """The page asked for what can't be; its code is one of REFUSALS, or `invalid`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class DemoPage:
    def __init__(self, frame: Frame, demo: Demo, join: JoinPage) -> None:
        self._frame = frame
        self._demo = demo
        self._join = join
        self._cafes = {cafe.slug: cafe for cafe in demo.cafes}

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self.show),
            *self._join.routes("/join"),  # what guests of a real installation see at `/`
            Route("/demo/till/{cafe}/identify", self.identify, methods=["POST"]),
            Route("/demo/till/{cafe}/orders", self.order, methods=["POST"]),
            Route("/demo/till/{cafe}/refunds", self.refund, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        w = words(self._frame.language(request))
        return self._frame.page(
            request, "demo.html", tills=[_till(cafe, w) for cafe in self._demo.cafes]
        )

    # -- the till --------------------------------------------------------------------------------

    async def identify(self, request: Request) -> Response:
        """`{"code": "123456"}`, `{"qr": text}`, or `{"picture": "/media/…"}`: what the guest's
        screen shows, as a camera would see it."""
        return await self._answer(request, self._identify)

    async def order(self, request: Request) -> Response:
        """`{"id", "visit"?, "items": {sku: quantity}}`"""
        return await self._answer(request, self._order)

    async def refund(self, request: Request) -> Response:
        """`{"id"}`: all of that order."""
        return await self._answer(request, self._refund)

    async def _identify(self, cafe: DemoCafe, sent: Mapping[str, Any], w: Words) -> dict[str, Any]:
        proof = {key: str(sent[key]) for key in ("qr", "code") if sent.get(key)}
        if picture := sent.get("picture"):
            name = urlsplit(str(picture)).path.rpartition("/")[2]
            proof = {"qr": text_of(self._frame.desk, name) or ""}
        if not proof:
            raise Refused("no_card")
        found = await self._call(cafe, "identify", proof)
        points = w.points(found["balance"], found["unit"])
        said = w.text(
            "{name} is at the till, with {points}.", name=found["guest"]["name"], points=points
        )
        outlook = ""
        if following := found.get("next_reward"):
            missing = w.points(following["missing"], found["unit"])
            outlook = w.text(
                "{points} to go until “{reward}”.", points=missing, reward=following["name"]
            )
        return {
            "said": said,
            "visit": found["visit"],
            "name": found["guest"]["name"],
            "balance": points,
            "outlook": outlook,
        }

    async def _order(self, cafe: DemoCafe, sent: Mapping[str, Any], w: Words) -> dict[str, Any]:
        lines = _lines(cafe, sent.get("items"), w)
        total = sum(
            to_minor(Decimal(line["price"]) * line["quantity"], cafe.currency) for line in lines
        )
        order: dict[str, Any] = {
            "order_id": _id(sent),
            "total": to_major(total, cafe.currency),
            "currency": cafe.currency,
            "items": lines,
        }
        if sent.get("visit"):
            order["visit"] = str(sent["visit"])
        counted = await self._call(cafe, "orders", order, key=order["order_id"])
        paid = w.money(total, cafe.currency)
        if counted["balance"] is None:
            said = w.text(
                "{total} paid. Nobody showed a card, so the order waits unclaimed.", total=paid
            )
            return {"said": said, "points": "", "total": paid}
        points = signed(counted["points"], UNIT, w)
        said = w.text("{total} paid: {points}.", total=paid, points=points)
        balance = w.points(counted["balance"], UNIT)
        return {"said": said, "points": points, "total": paid, "balance": balance}

    async def _refund(self, cafe: DemoCafe, sent: Mapping[str, Any], w: Words) -> dict[str, Any]:
        order_id = _id(sent)
        refund = {"refund_id": f"{order_id}-refund"}
        path = f"orders/{quote(order_id, safe='')}/refunds"
        done = await self._call(cafe, path, refund, key=refund["refund_id"])
        points = signed(done["points"], UNIT, w)
        balance = w.points(done["balance"] or 0, UNIT)
        said = w.text("The order is refunded: {points}.", points=points)
        return {"said": said, "points": points, "balance": balance}

    # -- on the way to the API -------------------------------------------------------------------

    async def _answer(self, request: Request, do: Action) -> Response:
        """What came of it, in words; a refusal is 409 with `said`."""
        w = words(self._frame.language(request))
        cafe = self._cafes.get(request.path_params["cafe"])
        own = says_json(request) and own_site(request, self._frame.gateway.public_url)
        if cafe is None or not own:
            return JSONResponse({}, HTTPStatus.FORBIDDEN)
        try:
            sent = await read_object(request)
            return JSONResponse(await do(cafe, sent, w))
        except Refused as refused:
            said = REFUSALS.get(refused.code, NOT_ACCEPTED)
        except (ValueError, TimeoutError, OSError):  # no JSON; the API doesn't answer
            said = NOT_ACCEPTED
        return JSONResponse({"said": w.text(said)}, HTTPStatus.CONFLICT)

    async def _call(
        self, cafe: DemoCafe, path: str, body: Mapping[str, Any], key: str | None = None
    ) -> Any:
        headers = {"Authorization": f"Bearer {cafe.till_token}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        answer = await self._frame.gateway.http.request(
            "POST",
            f"{self._demo.api}/api/v1/{path}",
            headers=headers,
            json=body,
            timeout=API_SECONDS,
        )
        document = answer.json()
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise Refused(document["error"]["code"])
        return document


def _till(cafe: DemoCafe, w: Words) -> dict[str, Any]:
    """A till as the page draws it."""
    return {
        "slug": cafe.slug,
        "name": cafe.name,
        "currency": cafe.currency,
        "scale": 10 ** exponent(cafe.currency),
        "products": [
            {
                "sku": product.sku,
                "name": name_in(product.names, w),
                "minor": to_minor(product.price, cafe.currency),
                "price": w.money(to_minor(product.price, cafe.currency), cafe.currency),
            }
            for product in cafe.products
        ],
    }


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


def _id(sent: Mapping[str, Any]) -> str:
    id_ = sent.get("id")
    if not isinstance(id_, str) or not id_ or len(id_) > 64 or not id_.isalnum():
        raise Refused("invalid")
    return id_
