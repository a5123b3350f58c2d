"""How long `malva serve` takes until it is ready, and how much memory it has then.

The database is migrated before. The floor is a bare Starlette endpoint under the same uvicorn. The
memory is what is resident after a few idle seconds; it includes what processes share.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp

from bench.latency import TOKEN, Vendors
from bench.support import server
from bench.support.results import Result, bounded
from core.keys import Keys
from core.storage.database import Database
from core.storage.migrate import migrate

ROUNDS = 5
IDLE = 2.0
WEB_CHAT = """
[channels.webchat]
module = "channels.webchat"

[pages.portal]
module = "portal"
"""
TELEGRAM = """
[channels.telegram]
module = "channels.telegram"
mode = "webhook"
token = "{token}"
api_base = "{url}"
"""


async def run() -> AsyncIterator[Result]:
    with tempfile.TemporaryDirectory(prefix="malva-bench-") as folder:
        url = f"sqlite:///{folder}/malva.db"
        database = Database(url)
        migrate(database)
        database.close()
        async with Vendors().serving() as vendors:
            bare = await _started(["-m", "bench.support.bare"], "/", {})
            telegram = WEB_CHAT + TELEGRAM.format(token=TOKEN, url=vendors.url)
            for name, plugins, seconds, megabytes in (
                ("web chat", WEB_CHAT, 2.0, 150.0),
                ("web chat and Telegram", telegram, 5.0, 300.0),
            ):
                told = _told(Path(folder), url, server.PLUGINS + plugins)
                malva = await _started(["-m", "malva", "serve", "--port"], "/readyz", told)
                yield bounded(f"start to ready, {name}", malva[0], bare[0], unit="s", most=seconds)
                yield bounded(f"idle memory, {name}", malva[1], bare[1], unit="MB", most=megabytes)


def _told(folder: Path, url: str, plugins: str) -> dict[str, str]:
    file = folder / "plugins.toml"
    file.write_text(plugins)
    return {
        "MALVA_DATABASE_URL": url,
        "MALVA_SECRET_KEY": Keys.generate(),
        "MALVA_PLUGINS": str(file),
    }


async def _started(command: list[str], ready: str, told: Mapping[str, str]) -> tuple[float, float]:
    """Seconds until `ready` is answered, and megabytes then: medians. The port ends the command."""
    found = [await _start(command, ready, told) for _ in range(ROUNDS)]
    return statistics.median(took for took, _ in found), statistics.median(mb for _, mb in found)


async def _start(command: list[str], ready: str, told: Mapping[str, str]) -> tuple[float, float]:
    port = server.free_port()
    begun = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        str(port),
        env={**os.environ, **told},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await _answered(f"http://{server.HOST}:{port}{ready}")
        took = time.perf_counter() - begun
        await asyncio.sleep(IDLE)
        return took, await _megabytes(process.pid)
    finally:
        process.terminate()
        await process.wait()


async def _answered(url: str) -> None:
    """Waits for an answer that isn't `not ready`."""
    async with aiohttp.ClientSession() as http, asyncio.timeout(30):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(url) as answer:
                    if answer.status != 503:
                        return
            await asyncio.sleep(0.01)


async def _megabytes(process: int) -> float:
    """What is resident, as `ps` tells it: the same on Linux and macOS."""
    asked = ("ps", "-o", "rss=", "-p", str(process))
    ps = await asyncio.create_subprocess_exec(*asked, stdout=subprocess.PIPE)
    told, _ = await ps.communicate()
    return int(told) / 1024
