"""Making an adapter, letting it run, and waiting for what it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from channels.telegram import Settings, Telegram
from core.testkit.gateway import OneGateway
from tests.simulators.telegram import TelegramSimulator


def bot(telegram: TelegramSimulator, gateway: OneGateway, **more) -> Telegram:
    return Telegram(Settings(token=telegram.token, api_base=telegram.url, **more), gateway)


@asynccontextmanager
async def running(channel: Telegram) -> AsyncIterator[None]:
    work = asyncio.create_task(channel.run())
    try:
        yield
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


async def until(happened: Callable[[], object], timeout: float = 5.0) -> None:
    """Looks again and again: what is waited for may happen without a word to the simulator."""
    async with asyncio.timeout(timeout):
        while not happened():
            await asyncio.sleep(0.01)
