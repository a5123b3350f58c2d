"""A paid order: from its webhook to the notification that is handed to the messenger.

Malva runs as `malva serve`; this process is Octopos and Telegram. A webhook names an order by its
number; Malva asks for the order and for its reward card, counts the points, and sends the message.
The server is idle: each order waits for the one before, and a while longer. The floor is the same
four HTTP calls, one after the other, with nothing between them.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import sqlalchemy as sa
from aiohttp import web

from bench.support import server
from bench.support.results import Result, bounded
from core.keys import Keys
from core.services import cafes, guests
from core.storage.database import Database
from core.storage.migrate import migrate
from core.storage.tables import contacts
from core.storage.tx import Tx

ORDERS, WARM_UP = 100, 10
APART = 0.05
"""Seconds between a notification and the next order."""
MOST = 100.0
TOKEN = "1:benchmark-benchmark-benchmark"
PLUGINS = """
[channels.telegram]
module = "channels.telegram"
mode = "webhook"
token = "{token}"
api_base = "{url}"

[pos.octopos]
module = "pos.octopos"
api_base = "{url}"
email = "bench@example.com"
password = "bench"
webhook_token = "bench"
poll_seconds = 3600
[pos.octopos.cafes.bife]
location_id = 2
"""


async def run() -> AsyncIterator[Result]:
    with tempfile.TemporaryDirectory(prefix="malva-bench-") as folder:
        url = f"sqlite:///{folder}/malva.db"
        _settle(url)
        async with Vendors().serving() as vendors, aiohttp.ClientSession() as http:
            plugins = server.PLUGINS + PLUGINS.format(token=TOKEN, url=vendors.url)
            with server.malva(Path(folder), url, plugins) as port:
                await _ready(http, port)
                taken = await _measured(lambda n: _order(http, port, vendors, n))
            floor = await _measured(lambda n: _calls_alone(http, vendors, n))
        yield bounded("order webhook to notification", taken, floor, unit="ms", most=MOST)


async def _measured(work: Callable[[int], Awaitable[float]]) -> float:
    """Milliseconds, the median."""
    taken = []
    for number in range(1, WARM_UP + ORDERS + 1):
        taken.append(await work(number))
        await asyncio.sleep(APART)
    return statistics.median(taken[WARM_UP:]) * 1000


async def _order(http: aiohttp.ClientSession, port: int, vendors: Vendors, number: int) -> float:
    vendors.told.clear()
    begun = time.perf_counter()
    async with http.post(
        f"http://{server.HOST}:{port}/pos/octopos/bife/webhook",
        json={"order_number": str(number)},
        headers={"Authorization": "Bearer bench"},
    ) as answer:
        assert answer.status == 200, answer.status
    async with asyncio.timeout(10):
        await vendors.told.wait()
    return vendors.told_at - begun


async def _calls_alone(http: aiohttp.ClientSession, vendors: Vendors, number: int) -> float:
    begun = time.perf_counter()
    for method, path in (
        ("POST", f"/bot{TOKEN}/getMe"),
        ("GET", f"/api/v2/orders/{number}"),
        ("GET", f"/api/v2/reward_cards/{number}"),
        ("POST", f"/bot{TOKEN}/sendMessage"),
    ):
        async with http.request(method, vendors.url + path, json={}) as answer:
            await answer.read()
    return vendors.told_at - begun


async def _ready(http: aiohttp.ClientSession, port: int) -> None:
    async with http.get(f"http://{server.HOST}:{port}/readyz") as answer:
        assert answer.status == 200, await answer.text()


class Vendors:
    """Octopos, whose order and reward card go by the same number, and Telegram. `told_at`: when the
    last message was handed over."""

    def __init__(self) -> None:
        self.url = ""
        self.told = asyncio.Event()
        self.told_at = 0.0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Vendors]:
        app = web.Application()
        app.router.add_route("*", "/bot{token}/{method}", self._telegram)
        app.router.add_post("/api/v2/authenticate", self._authenticate)
        app.router.add_get("/api/v2/orders/{number}", self._order)
        app.router.add_get("/api/v2/reward_cards/{number}", self._reward_card)
        app.router.add_post("/api/v2/{nothing_new}", self._nothing)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, server.HOST, 0).start()
        self.url = "http://{}:{}".format(*runner.addresses[0][:2])
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _telegram(self, request: web.Request) -> web.Response:
        if request.match_info["method"] != "sendMessage":
            me = {"id": 1, "is_bot": True, "first_name": "Bench", "username": "bench_bot"}
            known = request.match_info["method"] == "getMe"
            return web.json_response({"ok": True, "result": me if known else True})
        self.told_at = time.perf_counter()
        self.told.set()
        chat = {"id": 1, "type": "private"}
        return web.json_response(
            {"ok": True, "result": {"message_id": 7, "date": 1, "chat": chat, "text": "…"}}
        )

    async def _authenticate(self, request: web.Request) -> web.Response:
        station = {"id": 11, "name": "Till 1"}
        location = {"id": 2, "name": "BIFE", "pos_station": [station]}
        return web.json_response({"token": "bench", "locations": [location]})

    async def _order(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        return web.json_response(
            {
                "order_number": number,
                "pos_station_id": 11,
                "paid": True,
                "reward_card_id": int(number),
                "total_paid": "450.00",
                "created_at": "2026-11-22 12:00:00",
                "all_lines": [],
                "payment": [],
            }
        )

    async def _reward_card(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        return web.json_response({"id": number, "phone": _phone(number)})

    async def _nothing(self, request: web.Request) -> web.Response:
        return web.json_response([])


def _phone(number: int) -> str:
    return f"+38160{number:07}"


def _settle(url: str) -> None:
    database = Database(url)
    try:
        migrate(database)
        database.write_now(_add_guests, datetime.now(UTC))
    finally:
        database.close()


def _add_guests(tx: Tx, now: datetime) -> None:
    keys = Keys(Keys.generate())
    cafe_id = cafes.add(tx, "bife", "BIFE", "RSD", "Europe/Belgrade", now)
    for number in range(1, WARM_UP + ORDERS + 1):
        guest = guests.add(
            tx,
            name="Ana",
            language="sr",
            cafe_id=cafe_id,
            keys=keys,
            now=now,
            phone=_phone(number),
            phone_proven=True,
        )
        chat = {"channel": "telegram", "address": str(1000 + number), "guest_id": guest}
        tx.execute(sa.insert(contacts).values(**chat, created_at=now, heard_at=now))
