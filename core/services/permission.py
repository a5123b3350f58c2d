"""Who may do what where, checked in the transaction that does it.

`by` is the member of staff who asks; None is the command line, whose user has the server itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from core.domain.roles import Member
from core.services.errors import Forbidden, Missing
from core.storage.tables import cafes
from core.storage.tx import Tx


class Place(NamedTuple):
    """A cafe, as those who run it see it."""

    id: int
    slug: str
    name: str
    currency: str
    timezone: str
    programme_id: int


def require(by: Member | None, action: str, cafe_id: int | None = None) -> None:
    """Forbidden where `by` may not do it, or not in that cafe."""
    if by is not None and not by.may(action, cafe_id):
        raise Forbidden(f"{by.login} may not: {action}")


def require_programme(tx: Tx, by: Member, action: str, programme_id: int) -> None:
    """What changes a programme touches every cafe that shares it, so `by` needs all of them.
    Missing where it is a programme of none of theirs."""
    using = tx.execute(sa.select(cafes.c.id).where(cafes.c.programme_id == programme_id)).scalars()
    theirs = [by.has(cafe_id) for cafe_id in using]
    if not any(theirs):
        raise Missing("there is no such programme")
    require(by, action)
    if not all(theirs):
        raise Forbidden("the programme is shared with a cafe that isn't theirs")


def places(tx: Tx, by: Member) -> Sequence[Place]:
    """The cafes that `by` has to do with, in the order in which they were added."""
    columns = (getattr(cafes.c, field) for field in Place._fields)
    rows = tx.execute(sa.select(*columns).order_by(cafes.c.id))
    return [place for place in map(Place._make, rows) if by.has(place.id)]


def place(tx: Tx, by: Member, slug: str) -> Place:
    """Missing where it is none of theirs, whether or not there is one."""
    for one in places(tx, by):
        if one.slug == slug:
            return one
    raise Missing("there is no such cafe")
