"""Asks a cafe's till system for the coupon of a confirmed reward: once, and in time or not at all.

What is decided when is in services/coupons.py. An adapter that has no answer in time is waited for
beside, so that a coupon that it makes after all is at least in the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime

from core.contract import Coupon, Discount, FetchError, Pos
from core.services import coupons
from core.services.coupons import Question
from core.services.tasks import Task
from core.storage.database import Database

log = logging.getLogger(__name__)

PATIENCE = 45.0
"""Seconds until an answer is no longer waited for, less than a claim on a task lasts."""


class Granting:
    def __init__(
        self, database: Database, tills: Mapping[str, Pos], clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._tills = tills
        self._clock = clock

    async def ask(self, task: Task) -> None:
        """`task` is a coupon that is wanted; over when this returns."""
        question = await self._database.write(coupons.begin, task, self._clock())
        if question is None:
            return
        asking = asyncio.create_task(self._ask(task.cafe, question.discount))
        try:
            await self._wait(asking, task, question)
        finally:
            asking.cancel()

    async def _wait(
        self, asking: asyncio.Task[Coupon | None], task: Task, question: Question
    ) -> None:
        left = (question.until - self._clock()).total_seconds()
        done, _ = await asyncio.wait([asking], timeout=max(left, 0.0))
        if not done:
            await self._database.write(coupons.not_given, task, "late", self._clock())
        try:
            coupon = await asking
        except FetchError as error:
            await self._none(task, "failed", str(error))
        else:
            if coupon is None:
                await self._none(task, None)
            else:
                await self._database.write(coupons.given, task, coupon, self._clock())

    async def _none(self, task: Task, why: coupons.Why | None, error: str = "") -> None:
        await self._database.write(coupons.not_given, task, why, self._clock(), error=error)

    async def _ask(self, cafe: str, discount: Discount) -> Coupon | None:
        """Of the till systems that serve the cafe, the first that has coupons."""
        for name, pos in self._tills.items():
            if cafe not in pos.cafes():
                continue
            try:
                async with asyncio.timeout(PATIENCE):
                    coupon = await pos.grant(cafe, discount)
            except FetchError:
                raise
            except TimeoutError:
                raise FetchError("no answer") from None
            except Exception as error:
                log.exception("%s: grant", name)
                raise FetchError(f"adapter: {type(error).__name__}") from error
            if coupon is not None:
                return coupon
        return None
