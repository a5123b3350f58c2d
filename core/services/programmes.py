"""Programmes: how the points of a cafe are earned."""

from __future__ import annotations

import re
from collections.abc import Iterable

import orjson
import sqlalchemy as sa

from core.domain.earning import Item, Worth
from core.storage.tables import products, programmes
from core.storage.tx import Prepared, Tx


def unit(tx: Tx, programme_id: int) -> str:
    """What the programme calls its points: points or stamps."""
    return str(tx.scalar(sa.select(programmes.c.unit).where(programmes.c.id == programme_id)))


def called(tx: Tx, programme_id: int) -> tuple[str, str]:
    """The programme's name, which is its cafe's where it has one only, and its unit."""
    p = programmes.c
    row = tx.execute(sa.select(p.name, p.unit).where(p.id == programme_id)).one()
    return row.name, row.unit


_COUNTS = sa.and_(
    products.c.programme_id == sa.bindparam("programme"),
    products.c.active,
    products.c.points.is_not(None),
)
_COLUMNS = (products.c.points, products.c.names)
_PRODUCT = Prepared(sa.select(*_COLUMNS).where(_COUNTS, products.c.sku == sa.bindparam("sku")))
_PRODUCT_OF_ROW = Prepared(
    sa.select(*_COLUMNS).where(_COUNTS, products.c.id == sa.bindparam("product"))
)

_OWN = re.compile(r"malva:([0-9]{1,18})", re.ASCII)


def sku_of(product_id: int, sku: str | None) -> str:
    """What a line of an order calls a product: one that no till system knows goes by its row."""
    return sku or f"malva:{product_id}"


def worth(tx: Tx, programme_id: int, items: Iterable[Item]) -> dict[str, Worth]:
    """The products among `items` that are worth points of their own, by sku."""
    found = {}
    for sku in {item.sku for item in items if item.sku is not None}:
        row = tx.run(_PRODUCT, programme=programme_id, sku=sku)
        if row is None and (own := _OWN.fullmatch(sku)):
            row = tx.run(_PRODUCT_OF_ROW, programme=programme_id, product=int(own[1]))
        if row is not None:
            found[sku] = Worth(row[0], orjson.loads(row[1]))
    return found
