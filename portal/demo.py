"""The demo's front page: the guest's chat, a till and the guest's card side by side. Only the demo
has any of it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from core.domain.money import exponent, to_minor
from core.i18n import Words, words
from core.phrases import name_in
from core.services.desk import Demo, DemoCafe
from portal.demo_till import ACTIONS, NOT_ACCEPTED, REFUSALS, DemoTill, Refused
from portal.frame import Frame
from portal.join import JoinPage
from portal.scripts import own_site, read_object, says_json


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
            Route("/demo/till/{cafe}/{action}", self.press, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        w = words(self._frame.language(request))
        return self._frame.page(
            request, "demo.html", tills=[_till(cafe, w) for cafe in self._demo.cafes]
        )

    async def press(self, request: Request) -> Response:
        """What an action of the till came to, in words; a refusal is 409 with `said`."""
        w = words(self._frame.language(request))
        cafe = self._cafes.get(request.path_params["cafe"])
        action = ACTIONS.get(request.path_params["action"])
        if cafe is None or action is None:
            return JSONResponse({}, HTTPStatus.NOT_FOUND)
        if not (says_json(request) and own_site(request, self._frame.gateway.public_url)):
            return JSONResponse({}, HTTPStatus.FORBIDDEN)
        try:
            sent = await read_object(request)
            return JSONResponse(await action(DemoTill(self._frame, self._demo.api, cafe, w), sent))
        except Refused as refused:
            said = REFUSALS.get(refused.code, NOT_ACCEPTED)
        except (ValueError, TimeoutError, OSError):  # no JSON; the API doesn't answer
            said = NOT_ACCEPTED
        return JSONResponse({"said": w.text(said)}, HTTPStatus.CONFLICT)


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
