"""`/portal/products`: what is sold, and what an order of it would give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from core.domain.earning import Item, Rates, Sale, Worth, award
from core.domain.money import exponent, to_minor
from core.i18n import LANGUAGES
from core.phrases import name_in
from core.services import products
from core.services.products import Draft, Product
from core.services.schemes import Scheme
from portal.entries import EntriesRoom, Line
from portal.forms import written
from portal.office import Call

PIECES = 2
"""Of the product, in the order that the preview shows."""
_NAMES = tuple(f"name_{language}" for language in LANGUAGES)
_FIELDS = (*_NAMES, "sku", "points", "price")


class ProductsRoom(EntriesRoom[Product, Draft]):
    many, one, preview_page = "products", "product", "preview.html"
    service = products

    async def everyone(self, call: Call) -> Sequence[Product]:
        return await self._office.read(call, products.everyone)

    async def found(self, call: Call) -> Product:
        return await self._office.read(call, products.one, call.id())

    def line(self, entry: Product, scheme: Scheme, call: Call) -> Line:
        w, price = call.w, entry.price_minor
        about = [
            entry.sku or "",
            "" if price is None else w.money(price, scheme.currency),
            "" if entry.active else w.text("switched off"),
        ]
        by_price = w.text("by its price")
        worth = by_price if entry.points is None else w.points(entry.points, scheme.unit)
        return Line(name_in(entry.names, w), " · ".join(filter(None, about)), worth)

    def fields(
        self, call: Call, scheme: Scheme, entry: Product | None, *, sent: bool
    ) -> Mapping[str, str]:
        if sent:
            return {name: call.form.field(name) for name in _FIELDS}
        if entry is None:
            return dict.fromkeys(_FIELDS, "")
        price = entry.price_minor
        places = exponent(scheme.currency)
        return {
            **{f"name_{language}": entry.names.get(language, "") for language in LANGUAGES},
            "sku": entry.sku or "",
            "points": "" if entry.points is None else str(entry.points),
            "price": "" if price is None else written(price, places),
        }

    async def draft(self, call: Call, scheme: Scheme) -> Draft:
        price = call.form.money("price", scheme.currency) if call.form.field("price") else None
        return Draft(
            names=call.form.names(),
            sku=call.form.field("sku") or None,
            points=call.form.whole("points") if call.form.field("points") else None,
            price_minor=price,
        )

    async def would(
        self, call: Call, scheme: Scheme, fields: Mapping[str, Any]
    ) -> dict[str, str] | None:
        """What an order of a few of them would give, in words."""
        worth, price = _worth(fields["points"]), _price(fields["price"], scheme)
        if worth is None and price is None:
            return None
        names = {language: fields[f"name_{language}"] for language in LANGUAGES}
        name = name_in({language: one for language, one in names.items() if one}, call.w)
        each = scheme.earn_minor if price is None else price
        sale = Sale(
            Rates(scheme.earn_minor, scheme.earn_points),
            PIECES * each,
            PIECES * each,
            (Item(name, Decimal(PIECES), each, "this"),),
            {} if worth is None else {"this": worth},
        )
        given = award(sale, currency=scheme.currency, carry_minor=0)
        order = f"{call.w.number(PIECES)} × {name or '…'}"
        return {"order": order, "gives": call.w.points(given.points, scheme.unit)}


def _worth(points: str) -> Worth | None:
    ours = points.isascii() and points.isdigit() and len(points) <= 7
    return Worth(int(points), {}) if ours else None


def _price(text: str, scheme: Scheme) -> int | None:
    """Above zero, in minor units; None while it is no amount yet."""
    try:
        return to_minor(text.replace(",", "."), scheme.currency) or None
    except ValueError:
        return None
