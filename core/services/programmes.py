"""Programmes: how the points of a cafe are earned."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import orjson
import sqlalchemy as sa

from core.domain.earning import Rates, Worth
from core.storage.tables import products, programmes
from core.storage.tx import Prepared, Tx


@dataclass(frozen=True, slots=True)
class ProgrammeRow:
    """`unit`: points or stamps."""

    id: int
    currency: str
    unit: str
    rates: Rates


_BY_ID = Prepared(
    sa.select(
        programmes.c.currency,
        programmes.c.unit,
        programmes.c.earn_minor,
        programmes.c.earn_points,
    ).where(programmes.c.id == sa.bindparam("programme"))
)


def get(tx: Tx, programme_id: int) -> ProgrammeRow:
    """LookupError where there is none."""
    row = tx.run(_BY_ID, programme=programme_id)
    if row is None:
        raise LookupError(f"there is no programme {programme_id}")
    currency, unit, earn_minor, earn_points = row
    return ProgrammeRow(programme_id, currency, unit, Rates(earn_minor, earn_points))


_PRODUCT = Prepared(
    sa.select(products.c.points, products.c.names).where(
        products.c.programme_id == sa.bindparam("programme"),
        products.c.sku == sa.bindparam("sku"),
        products.c.active,
    )
)


def worth(tx: Tx, programme_id: int, skus: Collection[str]) -> dict[str, Worth]:
    """Those of `skus` that are products worth points of their own."""
    found = {}
    for sku in set(skus):
        row = tx.run(_PRODUCT, programme=programme_id, sku=sku)
        if row is not None:
            found[sku] = Worth(row[0], orjson.loads(row[1]))
    return found
