"""A whole Malva for a test, over real HTTP: `with run(database_url, plugins_toml) as malva: …`."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import uvloop

from core import app, serving
from core.keys import Keys
from core.plugins import Loader
from core.pluginsfile import load_plugins_toml
from core.services import cafes, tills
from core.settings import Settings
from core.storage.database import Database

T = TypeVar("T")

SECRET_KEY = Keys.generate()


class Clock:
    """The time that a test lives in: real, plus what it was moved on by."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def move(self, by: timedelta) -> None:
        self._ahead += by


@dataclass(frozen=True)
class Running:
    """`url` is where it answers; `database` is a second connection, to look and to set up."""

    url: str
    database: Database
    clock: Clock
    keys: Keys
    _loop: asyncio.AbstractEventLoop

    def add_cafe(self, slug: str = "bife", name: str = "BIFE") -> None:
        zone = "Europe/Belgrade"
        self.database.write_now(cafes.add, slug, name, "RSD", zone, self.clock())

    def add_till(self, cafe: str = "bife", name: str = "Bar", station: str | None = None) -> str:
        """The till's bearer token."""
        return self.database.write_now(tills.add, cafe, name, station, self.clock())

    def call(self, make: Callable[[], Awaitable[T]]) -> T:
        """Runs a coroutine on Malva's own loop."""

        async def work() -> T:
            return await make()

        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(20)


@contextlib.contextmanager
def run(
    database_url: str,
    plugins: str,
    *,
    cafes: tuple[str, ...] = ("bife",),
    port: int = 0,
) -> Iterator[Running]:
    """Malva serving on a free port of 127.0.0.1, in a thread; stopped as SIGTERM would. `plugins`
    is a plugins.toml."""
    clock = Clock()
    with (
        TemporaryDirectory() as folder,
        socket.create_server(("127.0.0.1", port), backlog=512) as listening,
    ):
        path = Path(folder, "plugins.toml")
        path.write_text(plugins, encoding="utf-8")
        url = "http://{}:{}".format(*listening.getsockname())
        settings = Settings(
            database_url=database_url, public_url=url, secret_key=SECRET_KEY, plugins=path
        )
        with _serving(settings, listening, clock) as loop:
            database = Database(database_url)
            malva = Running(url, database, clock, Keys(SECRET_KEY), loop)
            try:
                for slug in cafes:
                    malva.add_cafe(slug, slug.upper())
                yield malva
            finally:
                database.close()


@contextlib.contextmanager
def _serving(
    settings: Settings, listening: socket.socket, clock: Clock
) -> Iterator[asyncio.AbstractEventLoop]:
    loader = Loader(load_plugins_toml(settings.plugins, settings.environ))
    loader.load()
    ready = threading.Event()
    held: dict[str, serving.Server] = {}
    loop = uvloop.new_event_loop()  # as `malva serve` has
    failed: list[BaseException] = []

    async def serve() -> None:
        async with app.running(settings, loader, clock=clock) as application:
            server = held["server"] = serving.Server(serving.config(application, settings))
            ready.set()
            await server.serve(sockets=[listening])

    def work() -> None:
        try:
            loop.run_until_complete(serve())
        except BaseException as error:
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=work, name="malva", daemon=True)
    thread.start()
    try:
        assert ready.wait(30), "Malva did not start"
        if failed:
            raise failed[0]
        yield loop
    finally:
        if "server" in held:
            loop.call_soon_threadsafe(held["server"].stop)
        thread.join(20)
        assert not thread.is_alive(), "Malva did not stop"
        loop.close()
    if failed:
        raise failed[0]
