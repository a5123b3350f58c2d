"""The rows of an order, written by the driver alone: one transaction each, nothing read or checked.

Same schema, same indexes, same settings as Malva's own writer; one connection.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

Run = Callable[[str, Sequence[Any]], Any]

NOW = 1_795_348_800_000_000
BECAUSE = '[{"rule":"spend","points":85,"spent_minor":8550,"currency":"RSD","carried_minor":0}]'
RESPONSE = '{"order_id":"F1","points":85,"balance":85,"because":[{"rule":"spend","points":85}]}'
NOTICE = (
    '{"cafe":"BIFE","points":85,"unit":"points","balance":85,"because":' + BECAUSE + ',"next":'
    '{"names":{"en":"Free coffee","sr":"Besplatna kafa","ru":"Бесплатный кофе"},"cost":1000}}'
)
ORDER = (
    "INSERT INTO orders (cafe_id, source, order_id, till_id, idempotency_key, fingerprint,"
    " guest_id, visit_id, programme_id, total_minor, currency, received_at, points, carry_minor,"
    " earned_minor, refunded_minor, because, response) VALUES"
    " (1, 'floor', ?, 1, ?, ?, ?, ?, 1, 8550, 'RSD', ?, 85, 50, 8550, 0, ?, ?) RETURNING id"
)
ENTRY = (
    "INSERT INTO ledger_entry (guest_id, programme_id, cafe_id, kind, reference, points, balance,"
    " because, at) VALUES (?, 1, 1, 'order', ?, 85, 85, ?, ?)"
)
BALANCE = "UPDATE account SET balance = balance + 85 WHERE guest_id = ? AND programme_id = 1"
MESSAGE = (
    "INSERT INTO message (contact_id, channel, lane, kind, body, status, uncertain, due_at,"
    " expires_at, attempts, created_at)"
    " VALUES (?, 'bench', 1, 'points_earned', ?, 'queued', false, ?, ?, 0, ?)"
)


def orders_per_second(url: str, lasting: float) -> float:
    """How many orders' rows a second are committed one by one, in a town that `town` made."""
    if url.startswith("sqlite"):
        return _sqlite(url, lasting)
    return _postgres(url, lasting)


def _sqlite(url: str, lasting: float) -> float:
    with closing(sqlite3.connect(str(make_url(url).database), isolation_level=None)) as connection:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("PRAGMA cache_size=-32000")

        def order(number: int) -> None:
            connection.execute("BEGIN IMMEDIATE")
            _write(lambda sql, values: connection.execute(sql, values).fetchall(), number)
            connection.execute("COMMIT")

        return _rate(order, lasting)


def _postgres(url: str, lasting: float) -> float:
    with psycopg.connect(url) as connection:

        def run(sql: str, values: Sequence[Any]) -> Any:
            cursor = connection.execute(sql.replace("?", "%s").encode(), values)
            return cursor.fetchall() if cursor.description else None

        def order(number: int) -> None:
            _write(run, number)
            connection.commit()

        return _rate(order, lasting)


def _write(run: Run, number: int) -> None:
    guest = number % 500 + 1
    name = f"F{number}"
    [(row,)] = run(ORDER, (name, name, b"0" * 16, guest, guest, NOW, BECAUSE, RESPONSE))
    run(ENTRY, (guest, f"order:{row}", BECAUSE, NOW))
    run(BALANCE, (guest,))
    run(MESSAGE, (guest, NOTICE, NOW, NOW, NOW))


def _rate(order: Callable[[int], None], lasting: float) -> float:
    number, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < lasting:
        order(number)
        number += 1
    return number / spent
