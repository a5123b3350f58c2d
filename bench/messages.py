"""Message in → reply handed over: from the webhook's first byte to a local provider, all stored.

Malva runs as `malva serve` in a process of its own, on one core, with SQLite and a full commit
before each 200; the load and the provider (a Bot API that only counts) are in this one, on another.
Beside it, on the same core and in the same run: the same endpoint that stores nothing, and aiogram
behind Starlette, which stores nothing either. Web chat's replies are counted as they arrive by
server-sent events, after each of which its visitor writes again.
"""

from __future__ import annotations

import itertools
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
import sqlalchemy as sa

from bench.support import server
from bench.support.load import fire, post
from bench.support.provider import SECRET, TOKEN, Provider, provider
from bench.support.results import Result, compared
from core.keys import Keys
from core.services import cafes, guests
from core.storage.database import Database
from core.storage.migrate import migrate
from core.storage.tables import contacts
from core.storage.tx import Tx

GUESTS = 2000
ROUNDS = 3
SECONDS = 3.0

PLUGINS = """
[business]
name = "Bench"
contact = "bench@example.com"
[channels.telegram]
module = "bench.support.unpaced_telegram"
token = "{token}"
mode = "webhook"
webhook_secret = "{secret}"
api_base = "{api_base}"
"""


async def run() -> AsyncIterator[Result]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="malva-bench-")))
        bot_api = await stack.enter_async_context(provider())
        url = f"sqlite:///{folder}/malva.db"
        _settle(url)
        plugins = PLUGINS.format(token=TOKEN, secret=SECRET, api_base=bot_api.url)
        with _one_core_for_them():
            ours = stack.enter_context(server.malva(folder, url, plugins))
            bare = stack.enter_context(server.program("bench.support.stateless", bot_api.url))
        places = {
            "malva": Place(ours, "/channels/telegram/webhook"),
            "stateless": Place(bare, "/malva"),
            "aiogram": Place(bare, "/aiogram"),
        }
        rates: dict[str, list[float]] = {name: [] for name in places}
        updates = itertools.count(1)
        for place in places.values():
            await _replies_per_second(place, bot_api, updates, 1.0)  # warms up
        for _ in range(ROUNDS):
            for name, place in places.items():
                rates[name].append(await _replies_per_second(place, bot_api, updates, SECONDS))
    found = {name: statistics.median(each) for name, each in rates.items()}
    what = "messages in to replies out, Telegram, all stored,"
    about = {"value": found["malva"], "unit": "replies/s"}
    yield compared(f"{what} beside storing nothing", floor=found["stateless"], goal=0.3, **about)
    yield compared(f"{what} beside aiogram on Starlette", floor=found["aiogram"], goal=1.0, **about)


@dataclass(frozen=True)
class Place:
    port: int
    path: str


async def _replies_per_second(
    place: Place, bot_api: Provider, numbers: Iterator[int], lasting: float
) -> float:
    before, began = bot_api.sent, time.perf_counter()
    load = await fire(server.HOST, place.port, _updates(place.path, numbers), lasting)
    assert set(load.statuses) == {200}, load.statuses
    await bot_api.until(before + len(load.seconds))
    return len(load.seconds) / (bot_api.last - began)


def _updates(path: str, numbers: Iterator[int]) -> Iterator[bytes]:
    """Guests who ask for the menu, one after the other."""
    for number in numbers:
        chat = number % GUESTS + 1
        user = {"id": chat, "is_bot": False, "first_name": "Ana", "language_code": "sr"}
        message = {
            "message_id": number,
            "date": 1795348800,
            "chat": {"id": chat, "type": "private", "first_name": "Ana"},
            "from": user,
            "text": "menu",
        }
        update = orjson.dumps({"update_id": number, "message": message})
        yield post(path, update, f"X-Telegram-Bot-Api-Secret-Token: {SECRET}")


@contextmanager
def _one_core_for_them() -> Iterator[None]:
    """What is started inside gets the first core for itself; we keep the others."""
    ours = os.sched_getaffinity(0)
    first, *others = sorted(ours)
    os.sched_setaffinity(0, {first})
    try:
        yield
    finally:
        os.sched_setaffinity(0, set(others) or ours)


def _settle(url: str) -> None:
    database = Database(url)
    try:
        migrate(database)
        database.write_now(_register)
    finally:
        database.close()


def _register(tx: Tx) -> None:
    now, keys = datetime.now(UTC), Keys(Keys.generate())
    cafe = cafes.add(tx, "bife", "BIFE", "RSD", "Europe/Belgrade", now)
    for number in range(1, GUESTS + 1):
        guest = guests.add(tx, name="Ana", language="sr", cafe_id=cafe, keys=keys, now=now)
        tx.execute(
            sa.insert(contacts).values(
                channel="telegram",
                address=str(number),
                guest_id=guest,
                created_at=now,
                heard_at=now,
            )
        )
