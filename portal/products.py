"""`/portal/products`: products worth points of their own, and what an order of them would give."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from core.domain.earning import Item, Rates, Sale, Worth, award
from core.domain.money import exponent
from core.i18n import LANGUAGES
from core.phrases import name_in
from core.services import products, schemes
from core.services.errors import Missing, Rejected
from core.services.products import Draft, Product
from core.services.schemes import Scheme
from portal import said
from portal.forms import row_id, written
from portal.office import Call, Office, to

PATH = "/portal/products"
ONE = f"{PATH}/{{id}}"
PIECES = 2
"""Of the product, in the order that the preview shows."""


class ProductsRoom:
    def __init__(self, office: Office) -> None:
        self._office = office

    def routes(self) -> list[BaseRoute]:
        office = self._office
        return [
            office.get(PATH, self.show, "products"),
            office.get(f"{PATH}/new", self.blank, "products"),
            office.post(f"{PATH}/new", self.add, "products"),
            office.post(f"{PATH}/preview", self.preview, "products"),
            office.get(ONE, self.one, "products"),
            office.post(ONE, self.change, "products"),
            office.post(f"{ONE}/off", self.switch_off, "products"),
            office.post(f"{ONE}/on", self.switch_on, "products"),
        ]

    async def show(self, call: Call) -> Response:
        known = await self._office.read(call, schemes.everyone)
        found = await self._office.read(call, products.everyone)
        shelves = [
            (scheme, [product for product in found if product.programme_id == scheme.id])
            for scheme in known
        ]
        return self._office.page(
            call, "products.html", shelves=shelves, name_in=name_in, priced=_priced(call)
        )

    async def blank(self, call: Call) -> Response:
        scheme = await self._scheme(call, call.request.query_params.get("programme", ""))
        return await self._form(call, scheme)

    async def add(self, call: Call) -> Response:
        scheme = await self._scheme(call, call.form.field("programme"))
        now = self._office.gateway.now()
        try:
            draft = _draft(call, scheme)
            if call.form.field("preview"):
                return await self._form(call, scheme, sent=True)
            await self._office.write(call, products.add, scheme.id, draft, now)
        except Rejected as error:
            return await self._form(call, scheme, error=error)
        return to(PATH, "product_added")

    async def one(self, call: Call) -> Response:
        product = await self._office.read(call, products.one, call.id())
        scheme = await self._office.read(call, schemes.one, product.programme_id)
        return await self._form(call, scheme, product)

    async def change(self, call: Call) -> Response:
        product = await self._office.read(call, products.one, call.id())
        scheme = await self._office.read(call, schemes.one, product.programme_id)
        now = self._office.gateway.now()
        try:
            draft = _draft(call, scheme)
            if call.form.field("preview"):
                return await self._form(call, scheme, product, sent=True)
            await self._office.write(call, products.change, product.id, draft, now)
        except Rejected as error:
            return await self._form(call, scheme, product, error=error)
        return to(PATH, "saved")

    async def switch_off(self, call: Call) -> Response:
        now = self._office.gateway.now()
        await self._office.write(call, products.switch, call.id(), False, now)
        return to(PATH, "product_off")

    async def switch_on(self, call: Call) -> Response:
        now = self._office.gateway.now()
        await self._office.write(call, products.switch, call.id(), True, now)
        return to(PATH, "product_on")

    async def preview(self, call: Call) -> Response:
        """A piece of the page: what is in the form now would give so much."""
        scheme = await self._scheme(call, call.form.field("programme"))
        return self._office.piece(
            call, "preview.html", would=_would(call, scheme, _fields(call, scheme, None, True))
        )

    async def _scheme(self, call: Call, named: str) -> Scheme:
        programme_id = row_id(named)
        if programme_id is None:
            raise Missing("there is no such programme")
        return await self._office.read(call, schemes.one, programme_id)

    async def _form(
        self,
        call: Call,
        scheme: Scheme,
        product: Product | None = None,
        error: Rejected | None = None,
        sent: bool = False,
    ) -> Response:
        fields = _fields(call, scheme, product, sent or error is not None)
        return self._office.page(
            call,
            "product.html",
            status=422 if error else 200,
            mistake=said.rejected(error.code, call.w) if error else "",
            scheme=scheme,
            product=product,
            fields=fields,
            would=_would(call, scheme, fields),
        )


def _fields(call: Call, scheme: Scheme, product: Product | None, sent: bool) -> dict[str, str]:
    """What the form shows: as it was sent, as the product is, or empty."""
    names = [f"name_{language}" for language in LANGUAGES]
    if sent:
        return {name: call.form.field(name) for name in (*names, "sku", "points", "price")}
    if product is None:
        return {**dict.fromkeys(names, ""), "sku": "", "points": "", "price": ""}
    price = product.price_minor
    places = exponent(scheme.currency)
    return {
        **{f"name_{language}": product.names.get(language, "") for language in LANGUAGES},
        "sku": product.sku or "",
        "points": str(product.points),
        "price": "" if price is None else written(price, scheme.currency, places),
    }


def _draft(call: Call, scheme: Scheme) -> Draft:
    price = call.form.money("price", scheme.currency) if call.form.field("price") else None
    return Draft(
        names=call.form.names(),
        sku=call.form.field("sku") or None,
        points=call.form.whole("points"),
        price_minor=price,
    )


def _would(call: Call, scheme: Scheme, fields: dict[str, str]) -> dict[str, str] | None:
    """What an order of a few of them would give, in words; None where there is no sense in it
    yet."""
    text = fields["points"]
    if not text.isascii() or not text.isdigit() or len(text) > 7:
        return None
    names = {language: fields[f"name_{language}"] for language in LANGUAGES}
    name = name_in({language: one for language, one in names.items() if one}, call.w)
    item = Item(name, Decimal(PIECES), scheme.earn_minor, "this")
    total = PIECES * scheme.earn_minor
    sale = Sale(
        Rates(scheme.earn_minor, scheme.earn_points),
        total,
        total,
        (item,),
        {"this": Worth(int(text), {})},
    )
    given = award(sale, currency=scheme.currency, carry_minor=0)
    order = f"{call.w.number(PIECES)} × {name or '…'}"
    return {"order": order, "gives": call.w.points(given.points, scheme.unit)}


def _priced(call: Call) -> Any:
    def priced(product: Product, scheme: Scheme) -> str:
        if product.price_minor is None:
            return ""
        return call.w.money(product.price_minor, scheme.currency)

    return priced
