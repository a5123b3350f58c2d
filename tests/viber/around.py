"""Making an adapter, letting it run, and reading what the simulator tells."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from typing import Any

from channels.viber import Settings, Viber
from core.contract import Received, Request
from core.testkit.gateway import OneGateway, webhook
from core.testkit.running import Running, run
from tests.simulators.viber import ViberSimulator


def serving(
    url: str, viber: ViberSimulator, *, cafes: tuple[str, ...] = ("bife",)
) -> AbstractContextManager[Running]:
    """A whole Malva with this bot and Malva's own pages."""
    toml = f"""
[business]
name = "BIFE"

[pages.portal]
module = "portal"

[channels.viber]
module = "channels.viber"
token = "{viber.token}"
sender_name = "BIFE"
api_base = "{viber.url}"
"""
    return run(url, toml, cafes=cafes)


def bot(viber: ViberSimulator, gateway: OneGateway, **more: Any) -> Viber:
    known = {"token": viber.token, "sender_name": viber.name, "api_base": viber.url}
    return Viber(Settings(**{**known, **more}), gateway)


@asynccontextmanager
async def running(channel: Viber) -> AsyncIterator[None]:
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


def signed(viber: ViberSimulator, body: bytes) -> Request:
    return webhook(body, x_viber_content_signature=viber.signature(body))


def told(viber: ViberSimulator, channel: Viber, act: Callable[[], object]) -> Sequence[Received]:
    """What the adapter makes of the events that come of what is done."""
    viber.held = []
    act()
    events, viber.held = viber.held, None
    found: list[Received] = []
    for _, document in events:
        request = signed(viber, json.dumps(document).encode())
        channel.verify(request)
        found += channel.parse(request)
    return found
