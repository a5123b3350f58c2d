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
from bench.support.visitors import Visitor, replies_per_second
from channels.webchat.visitors import PURPOSE
from core.keys import Keys
from core.services import cafes, guests
from core.storage.database import Database
from core.storage.migrate import migrate
from core.storage.tables import contacts
from core.storage.tx import Tx

GUESTS = 2000
VISITORS = 128
"""Each waits for its reply before it writes again: so many keep the server busy."""
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
[channels.webchat]
module = "channels.webchat"
messages_per_second = 1e6
"""


async def run() -> AsyncIterator[Result]:
    keys = Keys.generate()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="malva-bench-")))
        bot_api = await stack.enter_async_context(provider())
        url = f"sqlite:///{folder}/malva.db"
        visitors = _settle(url, Keys(keys))
        plugins = PLUGINS.format(token=TOKEN, secret=SECRET, api_base=bot_api.url)
        with _one_core_for_them():
            ours = stack.enter_context(server.malva(folder, url, plugins, MALVA_SECRET_KEY=keys))
            bare = stack.enter_context(server.program("bench.support.stateless", bot_api.url))
        async for result in _telegram(ours, bare, bot_api):
            yield result
        yield await _web_chat(ours, bare, visitors)


async def _telegram(ours: int, bare: int, bot_api: Provider) -> AsyncIterator[Result]:
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
    for floor, said, goal in (
        ("stateless", "the same endpoint, nothing stored", 0.3),
        ("aiogram", "aiogram on Starlette, nothing stored", 1.0),
    ):
        yield compared(
            f"replies, Telegram, beside {said}",
            found["malva"],
            found[floor],
            unit="replies/s",
            goal=goal,
        )


async def _web_chat(ours: int, bare: int, visitors: list[Visitor]) -> Result:
    rates: dict[int, list[float]] = {ours: [], bare: []}
    for port in rates:
        await replies_per_second(visitors, port, 1.0)
    for _ in range(ROUNDS):
        for port, each in rates.items():
            each.append(await replies_per_second(visitors, port, SECONDS))
    return compared(
        "replies, web chat, beside the same endpoint, nothing stored",
        statistics.median(rates[ours]),
        statistics.median(rates[bare]),
        unit="replies/s",
        goal=0.3,
    )


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


def _settle(url: str, keys: Keys) -> list[Visitor]:
    database = Database(url)
    try:
        migrate(database)
        return database.write_now(_register, keys)
    finally:
        database.close()


def _register(tx: Tx, keys: Keys) -> list[Visitor]:
    """Guests with a Telegram chat each, and visitors of the web chat who are guests too."""
    now = datetime.now(UTC)
    cafe = cafes.add(tx, "bife", "BIFE", "RSD", "Europe/Belgrade", now)
    chats = [("telegram", str(number)) for number in range(1, GUESTS + 1)]
    chats += [("webchat", f"visitor-{number}") for number in range(VISITORS)]
    for channel, address in chats:
        guest = guests.add(tx, name="Ana", language="sr", cafe_id=cafe, keys=keys, now=now)
        known = {"channel": channel, "address": address, "guest_id": guest}
        tx.execute(sa.insert(contacts).values(**known, created_at=now, heard_at=now))
    return [
        Visitor(keys.sign(f"plugin:webchat:{PURPOSE}", address))
        for channel, address in chats
        if channel == "webchat"
    ]
