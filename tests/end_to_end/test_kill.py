"""kill -9 in the middle of a busy hour: every order counts once, every notification arrives."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import httpx2
import sqlalchemy as sa

from core.services import ledger
from core.storage import tables
from core.storage.database import Database
from core.storage.tx import Tx
from tests.end_to_end.around import Till, eventually, plugins
from tests.end_to_end.guests import regulars, settle
from tests.end_to_end.process import SECRET_KEY, Serving
from tests.simulators.telegram import TelegramSimulator
from tests.simulators.telegram_chats import Guest

ORDERS, GUESTS, TILLS = 200, 20, 16
KILLED_AFTER = (50, 120)
"""So many orders were answered each time that the server is killed."""
PATIENCE = 45.0
"""Seconds for the last notification: on PostgreSQL a dead node's hold on a channel lapses first."""


def test_orders_and_notifications_survive_kill_9(database_url: str, tmp_path: Path) -> None:
    database = Database(database_url)
    try:
        with (
            TelegramSimulator() as telegram,
            Serving(tmp_path / "served", database_url, plugins(telegram)) as malva,
        ):
            guests = regulars(telegram, GUESTS)
            token = settle(database, SECRET_KEY, guests)
            telegram.slow("send*", 0.02, times=None)
            points = order_and_kill(malva, token, guests)
            eventually(lambda: database.read_now(statuses) == {"sent"}, PATIENCE, "all sent")
            uncertain = database.read_now(uncertain_points)
        assert database.read_now(counted) == sorted(p for owed in points.values() for p in owed)
        assert database.read_now(ledger.prove) == []
        for guest in guests:
            assert_told_once(guest, points[guest.id], uncertain)
        assert len(uncertain) <= 64, "only what was in the air at a kill"
    finally:
        database.close()


def order_and_kill(malva: Serving, token: str, guests: Sequence[Guest]) -> dict[int, list[int]]:
    """Orders of all guests come from many tills at once, each again until it is answered; meanwhile
    the server is killed and begun again. The points that each guest is owed, by chat."""
    answered = count(1)
    done = [0]

    def order(till: Till, number: int, visit: str) -> None:
        answer = insist(till, f"o{number}", total=f"{1000 + number}.00", visit=visit)
        assert answer.status_code in (200, 201), answer.text
        assert answer.json()["points"] == 1000 + number
        done[0] = next(answered)

    with Till(malva.url, token) as till, ThreadPoolExecutor(TILLS) as pool:
        visits = [till.identify(phone=str(guest.phone))["visit"] for guest in guests]
        work = [pool.submit(order, till, n, visits[n % GUESTS]) for n in range(ORDERS)]
        for enough in KILLED_AFTER:
            eventually(lambda enough=enough: done[0] >= enough, 30, f"{enough} orders")
            malva.kill()
            malva.start()
        for one in work:
            one.result()
    return {
        guest.id: [1000 + number for number in range(ORDERS) if number % GUESTS == n]
        for n, guest in enumerate(guests)
    }


def insist(till: Till, order_id: str, **more: str) -> httpx2.Response:
    """As a till does: sent again until there is an answer, whatever it is."""
    until = time.monotonic() + 40
    while True:
        try:
            return till.order(order_id, **more)
        except httpx2.TransportError:
            assert time.monotonic() < until, f"no answer for {order_id}"
            time.sleep(0.1)


def assert_told_once(guest: Guest, points: Sequence[int], uncertain: set[int]) -> None:
    """Once each; what was in the air at a kill may have come twice, if it is marked so."""
    told = Counter(told_points(message.text) for message in guest.messages)
    assert set(told) == set(points)
    assert {p for p, times in told.items() if times > 1} <= uncertain


def told_points(notice: str) -> int:
    found = re.match(r"☕ BIFE: \+([\d,]+) points\n", notice)
    assert found, notice
    return int(found[1].replace(",", ""))


def counted(tx: Tx) -> list[int]:
    """The points of every order's entry in the ledger."""
    entries = tables.ledger_entries.c
    return sorted(tx.execute(sa.select(entries.points)).scalars())


def statuses(tx: Tx) -> set[str]:
    return set(tx.execute(sa.select(tables.messages.c.status).distinct()).scalars())


def uncertain_points(tx: Tx) -> set[int]:
    messages = tables.messages.c
    return {
        body["points"]
        for body in tx.execute(sa.select(messages.body).where(messages.uncertain)).scalars()
    }
