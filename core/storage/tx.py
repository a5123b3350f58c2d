"""An open transaction, and statements prepared once for the hot paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from operator import itemgetter
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import CursorResult
from sqlalchemy.sql import ClauseElement, Executable
from sqlalchemy.sql.compiler import SQLCompiler

from core.contract import DomainEvent

K = TypeVar("K")
T = TypeVar("T")
Row = tuple[Any, ...]
_Values = Callable[[Mapping[str, Any]], Sequence[Any]]

_NOTIFY = "SELECT pg_notify('malva', topic) FROM unnest(%s::text[]) AS topic"
_SQLITE = sqlite.dialect()
_POSTGRESQL = sa.make_url("postgresql+psycopg://").get_dialect()()


class Prepared:
    """A Core statement compiled once per database and run on the driver's own cursor.

    It saves SQLAlchemy's bookkeeping (some 40 µs a statement) where that is most of the cost.
    Column types are not applied: times go in and out as microseconds, JSON as text.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement

    @cached_property
    def sqlite(self) -> tuple[str, _Values]:
        """Its text, and what puts the values in their order: to bind them by name costs SQLite's
        driver three times as much."""
        compiled = self._statement.compile(dialect=_SQLITE)
        assert isinstance(compiled, SQLCompiler)
        return str(compiled), _in_order(compiled.positiontup or ())

    @cached_property
    def postgresql(self) -> str:
        return str(self._statement.compile(dialect=_POSTGRESQL))


def _in_order(names: Sequence[str]) -> _Values:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda values: tuple(values[name] for name in names)


class PreparedInsert(Prepared):
    """An INSERT of one row, whose `id` is wanted: SQLite tells it without a costly RETURNING."""

    def __init__(self, statement: sa.Insert) -> None:
        super().__init__(statement)
        self._returning = statement.returning(statement.table.c.id)

    @cached_property
    def postgresql(self) -> str:
        return str(self._returning.compile(dialect=_POSTGRESQL))


class Tx:
    """What a service gets: it reads and writes, and says what is to be told after the commit.

    A service never commits; who called it does.
    """

    __slots__ = ("_cursor", "_found", "connection", "events", "is_sqlite", "rings")

    def __init__(self, connection: sa.Connection, beside: Tx | None = None) -> None:
        """`beside`: another function's, in the same transaction."""
        self.connection = connection
        self.is_sqlite: bool = beside.is_sqlite if beside else connection.dialect.name == "sqlite"
        self.rings: list[str] = []
        self.events: list[DomainEvent] = []
        self._cursor: Any = beside._raw() if beside else None
        self._found: dict[Any, Any] = beside._found if beside else {}

    def execute(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> CursorResult[Any]:
        if not statement.is_select:
            self._found.clear()
        return cast(CursorResult[Any], self.connection.execute(statement, parameters))

    def scalar(self, statement: Executable) -> Any:
        return self.execute(statement).scalar()

    def once(self, look_up: Callable[[Tx, K], T], key: K) -> T:
        """`look_up(tx, key)`, once for all functions that share this transaction: for what each of
        them asks and hardly ever changes. It is forgotten whenever `execute` writes something; a
        prepared statement that does must `forget` it."""
        where = (look_up, key)
        if where not in self._found:
            self._found[where] = look_up(self, key)
        return cast(T, self._found[where])

    def forget(self, look_up: Callable[[Tx, K], T], key: K) -> None:
        """It changes now: the next `once` looks again."""
        self._found.pop((look_up, key), None)

    def run(self, prepared: Prepared, **values: Any) -> Row | None:
        """The first row of a prepared statement, or None."""
        rows = self.run_all(prepared, **values)
        return rows[0] if rows else None

    def run_all(self, prepared: Prepared, **values: Any) -> list[Row]:
        """All its rows: SQLite can't commit over a RETURNING that was not read to its end."""
        cursor = self._cursor or self._raw()
        if self.is_sqlite:
            text, in_order = prepared.sqlite
            cursor.execute(text, in_order(values))
        else:
            cursor.execute(prepared.postgresql, values)
        return cursor.fetchall() if cursor.description else []

    def insert(self, prepared: PreparedInsert, **values: Any) -> int | None:
        """The new row's id; None where it was in conflict with another, and left out."""
        cursor = self._cursor or self._raw()
        if self.is_sqlite:
            text, in_order = prepared.sqlite
            cursor.execute(text, in_order(values))
            return cursor.lastrowid if cursor.rowcount else None
        row: Row | None = cursor.execute(prepared.postgresql, values).fetchone()
        return row[0] if row else None

    def changed(self, prepared: Prepared, **values: Any) -> bool:
        """Whether it has written anything: an INSERT may leave out what is there already."""
        self.run_all(prepared, **values)
        return bool(self._raw().rowcount)

    def run_many(self, prepared: Prepared, values: Sequence[Mapping[str, Any]]) -> None:
        if self.is_sqlite:
            text, in_order = prepared.sqlite
            self._raw().executemany(text, map(in_order, values))
        else:
            self._raw().executemany(prepared.postgresql, values)

    def ring(self, topic: str) -> None:
        """Wakes whoever waits for `topic`, on every node, once this is committed."""
        self.rings.append(topic)

    def tell(self, event: DomainEvent) -> None:
        """Hands `event` to the plugins that listen, once this is committed."""
        self.events.append(event)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """A savepoint: what fails in it is taken back, its rings and events too, and raised."""
        rings, events = len(self.rings), len(self.events)
        try:
            with self.connection.begin_nested():
                yield
        except BaseException:
            del self.rings[rings:], self.events[events:]
            self._found.clear()
            raise

    def savepoint(self) -> None:
        self._raw().execute("SAVEPOINT one")

    def release_savepoint(self) -> None:
        self._raw().execute("RELEASE SAVEPOINT one")

    def rollback_to_savepoint(self) -> None:
        self.rings.clear()
        self.events.clear()
        self._found.clear()
        self._raw().execute("ROLLBACK TO SAVEPOINT one")
        self._raw().execute("RELEASE SAVEPOINT one")

    def tell_other_nodes(self, rings: Sequence[str]) -> None:
        """Last thing before the commit: PostgreSQL carries the rings there."""
        if rings and not self.is_sqlite:
            self._raw().execute(_NOTIFY, (list(dict.fromkeys(rings)),))

    def _raw(self) -> Any:
        if self._cursor is None:
            self._cursor = self.connection.connection.cursor()
        return self._cursor
