"""A purchase entered by hand: previewed while it is tapped together, counted once, undone."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from core.services import purchases
from core.services.errors import Refusal, Rejected
from core.services.purchases import Basket
from portal.till import refusals
from portal.till.door import Call, TillOffice
from portal.till.stage import VISIT, Entered, Note, Stage, key


class PurchaseRoom:
    def __init__(self, office: TillOffice) -> None:
        self._office, self._stage = office, Stage(office)

    def routes(self) -> list[BaseRoute]:
        office = self._office
        return [
            office.post(f"{VISIT}/preview", self.preview, "till"),
            office.post(f"{VISIT}/purchases", self.add, "till"),
            office.post(f"{VISIT}/purchases/{{order}}/undo", self.undo, "till"),
        ]

    async def preview(self, call: Call) -> Response:
        """The total and its points; a piece of the form, for the page's script."""
        visit, entered = _visit(call), _entered(call)
        try:
            basket = _basket(call)
            shown = await self._office.write(
                call, purchases.preview, visit, basket, self._stage.now()
            )
        except Refusal as error:
            return await self._stage.instead(call, visit, Note("bad", refusals.why(error, call.w)))
        except Rejected as error:
            return await self._not_yet(call, visit, entered, error)
        entered = entered._replace(preview=shown)
        if call.swaps:
            return self._sum(call, entered)
        return await self._stage.visit(call, visit, entered=entered)

    async def add(self, call: Call) -> Response:
        """Only what was previewed is counted: without a total that was seen it is a preview."""
        if not call.form.field("seen"):
            return await self.preview(call)
        visit, entered = _visit(call), _entered(call)
        try:
            seen = call.form.whole("seen")
            counted = await self._office.write(
                call, purchases.add, visit, _basket(call), seen, entered.key, self._stage.now()
            )
        except Refusal as error:
            return await self._stage.after(call, visit, Note("bad", refusals.why(error, call.w)))
        except Rejected as error:
            return await self._not_yet(call, visit, entered, error)
        points = call.w.points(counted.response["points"], call.session.till.cafe.unit)
        note = Note("good", call.w.text("Counted: {points}.", points=points))
        return await self._stage.after(call, visit, note)

    async def undo(self, call: Call) -> Response:
        visit, order = _visit(call), key(call.request.path_params["order"])
        try:
            await self._office.write(call, purchases.undo, order, self._stage.now())
            note = Note("good", call.w.text("The purchase is undone."))
        except Refusal as error:
            note = Note("bad", refusals.why(error, call.w))
        return await self._stage.after(call, visit, note)

    async def _not_yet(self, call: Call, visit: str, entered: Entered, error: Rejected) -> Response:
        """What was entered stays as it is, with what is wrong with it."""
        text = refusals.why(error, call.w)
        if call.swaps:
            return self._sum(call, entered, text)
        return await self._stage.visit(call, visit, Note("bad", text), entered)

    def _sum(self, call: Call, entered: Entered, mistake: str = "") -> Response:
        answer = self._stage.piece(call, "sum.html", entered=entered, mistake=mistake)
        answer.headers["HX-Retarget"] = "#sum"
        answer.headers["HX-Reswap"] = "outerHTML"
        return answer


def _visit(call: Call) -> str:
    return key(call.request.path_params["visit"])


def _entered(call: Call) -> Entered:
    given = call.form.by_row("product")
    return Entered(key(call.form.field("key")), given, call.form.field("amount"))


def _basket(call: Call) -> Basket:
    """Rejected for a quantity or an amount that can't be one."""
    quantities = {row: _quantity(text) for row, text in call.form.by_row("product").items()}
    currency = call.session.till.cafe.currency
    amount = call.form.money("amount", currency) if call.form.field("amount") else 0
    if amount < 0:
        raise Rejected("amount", "an amount is above zero")
    return Basket({row: n for row, n in quantities.items() if n}, amount)


def _quantity(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 2:
        raise Rejected("quantity", "a quantity is a small whole number")
    return int(text)
