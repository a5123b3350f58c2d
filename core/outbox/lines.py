"""The outbox: a line for every channel that runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from core.bell import Bell
from core.contract import Channel
from core.holding import Holder
from core.keys import Keys
from core.outbox import outcomes
from core.outbox.claim import Office
from core.outbox.line import Line
from core.storage.database import Database

log = logging.getLogger(__name__)

PATIENCE = 7.0
"""Seconds that a stop waits for messages in the air: a server stops within ten."""
SWEEP_EVERY = 60.0


class Outbox:
    """Sends what is queued, from `start` to `stop`."""

    def __init__(
        self,
        database: Database,
        channels: Mapping[str, Channel],
        *,
        bell: Bell,
        holder: Holder,
        keys: Keys,
        public_url: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._clock = clock
        self._names = list(channels)
        self._lines = [
            Line(
                channel,
                Office(name, channel.capabilities.stores, keys, public_url),
                database=database,
                bell=bell,
                holder=holder,
                clock=clock,
            )
            for name, channel in channels.items()
        ]
        self._sweeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        for line in self._lines:
            line.start()
        self._sweeping = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        """Finishes what is in flight, for PATIENCE seconds at most."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
            await asyncio.gather(*(line.stop(PATIENCE) for line in self._lines))

    async def _sweep(self) -> None:
        while True:
            try:
                await self._database.write(outcomes.give_up_others, self._names, self._clock())
            except SQLAlchemyError as error:
                log.warning("sweeping the outbox: %s", type(error).__name__)
            await asyncio.sleep(SWEEP_EVERY)
