"""Products: what one is worth, and what a till shows for tapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from core.domain import money
from core.domain.roles import Member
from core.services import entries
from core.services.errors import Missing, Rejected
from core.services.permission import places, require, require_programme
from core.services.schemes import MOST_POINTS
from core.storage.tables import products
from core.storage.tx import Tx

SKU_LENGTH = 100


class Product(NamedTuple):
    """`names` by language; `sku` is the till system's; `price_minor` of one, if it is known.
    `points` of each, whatever it costs; None: it earns by its price."""

    id: int
    programme_id: int
    sku: str | None
    names: Mapping[str, str]
    points: int | None
    price_minor: int | None
    active: bool


class Draft(NamedTuple):
    """What somebody wants a product to be; `names` without those left empty."""

    names: Mapping[str, str]
    sku: str | None
    points: int | None
    price_minor: int | None


def everyone(tx: Tx, by: Member) -> Sequence[Product]:
    """The products of their cafes' programmes, those that count first."""
    require(by, "products")
    columns = (getattr(products.c, field) for field in Product._fields)
    rows = tx.execute(
        sa.select(*columns)
        .where(products.c.programme_id.in_({place.programme_id for place in places(tx, by)}))
        .order_by(products.c.active.desc(), products.c.id)
    )
    return [Product._make(row) for row in rows]


def one(tx: Tx, by: Member, product_id: int) -> Product:
    """Missing where it is of no programme of theirs."""
    for product in everyone(tx, by):
        if product.id == product_id:
            return product
    raise Missing("there is no such product")


def add(tx: Tx, by: Member, programme_id: int, draft: Draft, now: datetime) -> int:
    """Returns its row id. Rejected for what can't be meant, or a SKU that another one has."""
    require_programme(tx, by, "products", programme_id)
    values = _checked(tx, programme_id, draft)
    product_id = tx.scalar(
        sa.insert(products)
        .values(programme_id=programme_id, active=True, **values)
        .returning(products.c.id)
    )
    names, points = dict(draft.names), draft.points
    entries.log(tx, "product_added", by, programme_id, now, names=names, points=points)
    return int(product_id)


def change(tx: Tx, by: Member, product_id: int, draft: Draft, now: datetime) -> None:
    """Counts for the orders from now on; what was earned stays."""
    found = _to_change(tx, by, product_id)
    values = _checked(tx, found.programme_id, draft, but=product_id)
    tx.execute(sa.update(products).where(products.c.id == product_id).values(values))
    names, points = dict(draft.names), draft.points
    entries.log(tx, "product_changed", by, found.programme_id, now, names=names, points=points)


def switch(tx: Tx, by: Member, product_id: int, active: bool, now: datetime) -> None:
    """One that is off earns by its price, like everything else, and can't be tapped."""
    found = _to_change(tx, by, product_id)
    tx.execute(sa.update(products).where(products.c.id == product_id).values(active=active))
    kind = "product_on" if active else "product_off"
    names, points = dict(found.names), found.points
    entries.log(tx, kind, by, found.programme_id, now, names=names, points=points)


def _to_change(tx: Tx, by: Member, product_id: int) -> Product:
    found = one(tx, by, product_id)
    require_programme(tx, by, "products", found.programme_id)
    return found


def _checked(tx: Tx, programme_id: int, draft: Draft, *, but: int | None = None) -> dict[str, Any]:
    """The columns' values. `but`: the product that has the SKU already."""
    names = entries.some_names(draft.names)
    if draft.points is None and not draft.price_minor:
        raise Rejected("worth_nothing", "a product has points of its own, or a price, or both")
    if draft.points is not None and not 0 <= draft.points <= MOST_POINTS:
        raise Rejected("points", f"0 to {MOST_POINTS}")
    if draft.price_minor is not None and not 0 <= draft.price_minor <= money.MAX_MAJOR * 100:
        raise Rejected("price", "a price is not below zero")
    sku = draft.sku
    if sku is not None:
        if len(sku) > SKU_LENGTH or not sku.isprintable():
            raise Rejected("sku", f"a SKU is up to {SKU_LENGTH} printable characters")
        same = sa.and_(products.c.programme_id == programme_id, products.c.sku == sku)
        if tx.scalar(sa.select(products.c.id).where(same)) not in (None, but):
            raise Rejected("sku_taken", f'there is a product "{sku}" already')
    return {"names": names, "sku": sku, "points": draft.points, "price_minor": draft.price_minor}
