"""`/till/events`: tells the page when something happened at its cafe, and that it is connected."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from core.services import attending
from core.services.errors import Missing, SessionOver, UnknownVisit
from core.services.till_sessions import TillSession
from portal.rooms import PRIVATE
from portal.till.door import HOME, Call, TillOffice
from portal.till.stage import key

BEAT = 10.0
"""Seconds. A page that has heard nothing for two of them is not connected."""


class LiveRoom:
    def __init__(self, office: TillOffice) -> None:
        self._office = office

    def routes(self) -> list[BaseRoute]:
        return [self._office.get(f"{HOME}/events", self.events, "till")]

    async def events(self, call: Call) -> Response:
        """`news` when something happened at the cafe, or to the guest of `?visit=`; `beat` in
        between; `over` once nobody is signed in any more."""
        topics = [f"cafe:{call.session.till.cafe.slug}"]
        visit = call.request.query_params.get("visit")
        if visit:
            topics += await self._guest(call, visit)
        headers = {**PRIVATE, "X-Accel-Buffering": "no"}
        return StreamingResponse(
            self._stream(call, topics), headers=headers, media_type="text/event-stream"
        )

    async def _guest(self, call: Call, visit: str) -> list[str]:
        now = self._office.gateway.now()
        try:
            found = await self._office.read(call, attending.visit, key(visit), now)
        except (UnknownVisit, Missing):
            return []
        return [f"guest:{found.guest}"]

    async def _stream(self, call: Call, topics: list[str]) -> AsyncIterator[bytes]:
        async with self._office.gateway.subscribe(topics) as rings:
            ring = asyncio.ensure_future(anext(rings))
            try:
                while await self._signed_in(call):
                    yield b"event: beat\ndata: 1\n\n"
                    if (await asyncio.wait({ring}, timeout=BEAT))[0]:
                        ring.result()
                        ring = asyncio.ensure_future(anext(rings))
                        yield b"event: news\ndata: 1\n\n"
                yield b"event: over\ndata: 1\n\n"
            finally:
                ring.cancel()

    async def _signed_in(self, call: Call) -> bool:
        try:
            await self._office.read(call, _still_there)
        except SessionOver:
            return False
        return True


def _still_there(tx: Any, by: TillSession) -> None:
    """Nothing more: who asks is looked up first."""
