"""The kinds of columns that every table is made of."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import BigInteger, Table
from sqlmodel import Field, SQLModel

from core.storage.types import BigId, Json, Utc


def row_id() -> Any:
    """The key that the database counts up."""
    return Field(default=None, primary_key=True, sa_type=BigId)


def ref(target: str, *, index: bool = False, nullable: bool = False) -> Any:
    """The `id` of a row of the table `target`."""
    return Field(
        default=None,
        foreign_key=f"{target}.id",
        sa_type=BigId,
        index=index,
        nullable=nullable,
    )


def whole(default: int | None = None, *, nullable: bool = False) -> Any:
    """Money in minor units, and points: 64 bits on both databases."""
    return Field(
        default=default,
        sa_type=BigInteger,
        nullable=nullable,
    )


def utc(*, nullable: bool = False, index: bool = False) -> Any:
    """An aware time, in UTC."""
    return Field(default=None, sa_type=Utc, nullable=nullable, index=index)


def json(*, nullable: bool = True) -> Any:
    """A small document; its shape is the field's type."""
    return Field(default=None, sa_type=Json, nullable=nullable)


def table(model: type[SQLModel]) -> Table:
    """What services write through (SQLModel sets it, and tells the type checker nothing)."""
    return cast(Table, model.__table__)  # type: ignore[attr-defined]
