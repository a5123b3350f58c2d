"""Message in → reply handed over: from the webhook's first byte to a local provider, all stored.

Malva runs as `malva serve` in a process of its own, on one core, with SQLite and a full commit
before each 200; the load and the provider (a Bot API, a Twilio, a Viber that only count) are in
this one, on another. Beside it, on the same core and in the same run, aiohttp's client, which does
nothing but repeat the call that Malva hands a reply over by. For Telegram there are two more
floors: the same endpoint that stores nothing, and aiogram behind Starlette, which stores nothing
either. Web chat sends nothing by HTTP: its replies are counted as they arrive by server-sent
events, after each of which its visitor writes again, beside the same endpoint that stores nothing.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from bench.support import server, webhooks
from bench.support.load import fire
from bench.support.provider import Provider, provider
from bench.support.results import Result, compared
from bench.support.visitors import Visitor, replies_per_second
from bench.support.webhooks import GUESTS, TELEGRAM, VIBER, WHATSAPP, Kind
from channels.webchat.visitors import PURPOSE
from core.keys import Keys
from core.services import cafes, guests
from core.storage.database import Database
from core.storage.migrate import migrate
from core.storage.tables import contacts
from core.storage.tx import Tx

VISITORS = 128
"""Each waits for its reply before it writes again: so many keep the server busy."""
ROUNDS = 3
SECONDS, WARM_UP = 2.0, 1.0

WEB_CHAT = """
[channels.webchat]
module = "channels.webchat"
messages_per_second = 1e6
"""
CLIENT = "aiohttp's client alone"
NOTHING_STORED = "the same endpoint, nothing stored"
AIOGRAM = "aiogram on Starlette, nothing stored"
GOALS = {CLIENT: 0.1, NOTHING_STORED: 0.3, AIOGRAM: 1.0}

Measure = Callable[[float], Awaitable[float]]
"""How many a second, over so many seconds."""


async def run() -> AsyncIterator[Result]:
    keys = Keys.generate()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="malva-bench-")))
        vendor = await stack.enter_async_context(provider())
        url = f"sqlite:///{folder}/malva.db"
        visitors = _settle(url, Keys(keys))
        plugins = server.PLUGINS + webhooks.plugins(vendor.url) + WEB_CHAT
        told = {"MALVA_SECRET_KEY": keys, "MALVA_PUBLIC_URL": webhooks.PUBLIC_URL}
        with _one_core_for_them():
            ours = stack.enter_context(server.malva(folder, url, plugins, **told))
            bare = stack.enter_context(server.program("bench.support.stateless", vendor.url))
        nothing_stored = {
            NOTHING_STORED: Place(bare, "/malva", TELEGRAM, vendor).replies,
            AIOGRAM: Place(bare, "/aiogram", TELEGRAM, vendor).replies,
        }
        for kind, floors in ((TELEGRAM, nothing_stored), (WHATSAPP, {}), (VIBER, {})):
            place = Place(ours, f"/channels/{kind.name}/webhook", kind, vendor)
            for result in await _beside(
                kind.title, place.replies, {CLIENT: _client(vendor), **floors}
            ):
                yield result
        peers = {NOTHING_STORED: _chat(visitors, bare), AIOGRAM: nothing_stored[AIOGRAM]}
        for result in await _beside("web chat", _chat(visitors, ours), peers):
            yield result


async def _beside(title: str, ours: Measure, floors: dict[str, Measure]) -> list[Result]:
    """Malva's figure beside each floor: medians, taken turn by turn."""
    measures = {"Malva": ours, **floors}
    rates: dict[str, list[float]] = {name: [] for name in measures}
    for measure in measures.values():
        await measure(WARM_UP)
    for _ in range(ROUNDS):
        for name, measure in measures.items():
            rates[name].append(await measure(SECONDS))
    found = {name: statistics.median(each) for name, each in rates.items()}
    return [
        compared(
            f"replies, {title}, beside {floor}",
            found["Malva"],
            found[floor],
            unit="replies/s",
            goal=GOALS[floor],
        )
        for floor in floors
    ]


@dataclass
class Place:
    """Where a channel's messages are taken, and the provider that the replies go to."""

    port: int
    path: str
    kind: Kind
    vendor: Provider

    def __post_init__(self) -> None:
        self._requests = self.kind.requests(self.path, itertools.count(1))

    async def replies(self, lasting: float) -> float:
        before, began = self.vendor.sent, time.perf_counter()
        load = await fire(server.HOST, self.port, self._requests, lasting)
        assert set(load.statuses) == {200}, load.statuses
        await self.vendor.until(before + len(load.seconds))
        return len(load.seconds) / (self.vendor.last - began)


def _client(vendor: Provider) -> Measure:
    """Repeats the last call that the provider took, from Malva's core."""

    async def requests(lasting: float) -> float:
        command = (sys.executable, "-m", "bench.support.client", vendor.url, str(lasting))
        with _one_core_for_them():
            client = await asyncio.create_subprocess_exec(
                *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        printed, _ = await client.communicate(vendor.call)
        return float(printed)

    return requests


def _chat(visitors: list[Visitor], port: int) -> Measure:
    return lambda lasting: replies_per_second(visitors, port, lasting)


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
    """Guests of each channel, and visitors of the web chat who are guests too."""
    now = datetime.now(UTC)
    cafe = cafes.add(tx, "bife", "BIFE", "RSD", "Europe/Belgrade", now)
    chats = [
        (kind.name, kind.address(number))
        for kind in (TELEGRAM, WHATSAPP, VIBER)
        for number in range(1, GUESTS + 1)
    ]
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
