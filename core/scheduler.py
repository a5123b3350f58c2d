"""What is due: questions to till systems, polls, and clearing away what nobody needs any more.

Questions (`tasks`) are asked by whichever node takes them. Polls and clearing are done by one node.
A till system that is wrong, slow or away delays points and loses none: a question is asked again
for a day, and a poll goes on from where the last one ended.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from core.bell import Bell
from core.contract import FetchError, Polled, Pos, TillEvent
from core.gateway import load, save
from core.granting import Granting
from core.holding import Hold, Holder
from core.services import alarms, clearing, eventlog, expiring, redemptions, reports, tasks
from core.services.errors import Refusal
from core.services.tasks import Task
from core.storage.database import Database, unavailable
from core.storage.tx import Tx
from core.storage.types import storable

log = logging.getLogger(__name__)

AT_ONCE = 8
"""Questions that one node asks at once."""
LOOK_EVERY = 2.0
"""Seconds after which the tasks are looked at though nothing rang."""
ASK_TIMEOUT = 45.0
"""Seconds that an adapter has, less than a claim on a task lasts."""
POLL_TIMEOUT = 90.0
LONGEST_BACKOFF = 900.0
CLEAR_EVERY = 3600.0
ALARM_EVERY = 3600.0
END_EVERY = 10.0
"""Seconds after which redemptions and points are looked at whose time is up."""
BETWEEN_BATCHES = 0.05
PAGES_AT_ONCE = 50
"""So many polls follow each other while they find something; then the others have their turn."""


class Scheduler:
    """Works from `start` to `stop`."""

    def __init__(
        self,
        database: Database,
        tills: Mapping[str, Pos],
        *,
        bell: Bell,
        holder: Holder,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._tills = tills
        self._bell = bell
        self._holder = holder
        self._clock = clock
        self._granting = Granting(database, tills, clock)
        self._running: list[asyncio.Task[None]] = []
        self._asking: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._running = [
            asyncio.create_task(work) for work in (self._ask_what_is_due(), self._alone())
        ]

    async def stop(self) -> None:
        """What is asked right now is asked again by the next to start."""
        stopped = [*self._running, *self._asking]
        for task in stopped:
            task.cancel()
        await asyncio.gather(*stopped, return_exceptions=True)

    async def _alone(self) -> None:
        """What one node does for all."""
        while True:
            async with self._holder.hold("scheduler") as hold, asyncio.TaskGroup() as group:
                group.create_task(self._repeat(hold, clearing.clear, CLEAR_EVERY))
                group.create_task(self._repeat(hold, redemptions.expire, END_EVERY))
                group.create_task(self._repeat(hold, expiring.sweep, END_EVERY))
                group.create_task(self._repeat(hold, alarms.sweep, ALARM_EVERY))
                for name, pos in self._tills.items():
                    for cafe in pos.cafes() if pos.poll_every is not None else ():
                        group.create_task(self._poll(name, pos, cafe, hold))

    # -- questions ----------------------------------------------------------------------------

    async def _ask_what_is_due(self) -> None:
        async with self._bell.subscribe([tasks.TOPIC]) as rings:
            if self._database.is_sqlite:
                await self._database.write(tasks.lapse)
            while True:
                try:
                    pause = await self._take_tasks(lambda: rings.add("asked"))
                except Exception as error:
                    log.warning("looking for tasks: %s", type(error).__name__)
                    pause = LOOK_EVERY
                await rings.wait(pause)

    async def _take_tasks(self, asked: Callable[[], None]) -> float:
        """Begins what is due, and calls `asked` at the end of each; seconds until it is worth
        looking again."""
        room = AT_ONCE - len(self._asking)
        if room <= 0:
            return LOOK_EVERY
        now = self._clock()
        due = await self._database.read(tasks.next_due)
        if due is None:
            return LOOK_EVERY
        if due > now:
            return min((due - now).total_seconds(), LOOK_EVERY)
        claimed = await self._database.write(tasks.claim, room, now)
        for task in claimed:
            asking = asyncio.create_task(self._ask(task))
            self._asking.add(asking)
            asking.add_done_callback(self._asking.discard)
            asking.add_done_callback(lambda _: asked())
        return 0.0 if len(claimed) == room else LOOK_EVERY

    async def _ask(self, task: Task) -> None:
        ask = self._granting.ask if task.pos == tasks.COUPON else self._fetch
        try:
            await ask(task)
        except Exception as error:  # the claim lapses, and it is asked again
            log.warning("%s: an answer could not be kept: %s", task.pos, type(error).__name__)

    async def _fetch(self, task: Task) -> None:
        try:
            events = await self._answer(task)
        except FetchError as error:
            await self._ask_again(task, error)
        else:
            await self._database.write(_count_answer, task, events, self._clock())

    async def _answer(self, task: Task) -> list[TillEvent]:
        pos = self._tills.get(task.pos)
        if pos is None:
            raise FetchError("the till system does not run here")
        try:
            async with asyncio.timeout(ASK_TIMEOUT):
                return list(await pos.fetch(task.cafe, task.ref))
        except FetchError:
            raise
        except TimeoutError:
            raise FetchError("no answer") from None
        except Exception as error:
            log.exception("%s: fetch", task.pos)
            raise FetchError(f"adapter: {type(error).__name__}") from error

    async def _ask_again(self, task: Task, error: FetchError) -> None:
        now = self._clock()
        due = now + timedelta(seconds=_wait(error, task.attempts))
        if error.retryable and due < task.gives_up_at:
            await self._database.write(tasks.again, task, due, str(error))
        else:
            await self._database.write(_give_up, task, str(error), now)

    # -- polls and clearing -------------------------------------------------------------------

    async def _poll(self, name: str, pos: Pos, cafe: str, hold: Hold) -> None:
        every = (pos.poll_every or timedelta()).total_seconds()
        failures = 0
        while hold():
            try:
                await self._catch_up(name, pos, cafe, hold)
                failures, pause = 0, every
            except Exception as error:
                failures += 1
                pause = max(_wait(error, failures), 1.0)
                log.warning("%s: poll of %s: %s; again in %.0f s", name, cafe, error, pause)
                if not isinstance(error, FetchError):
                    log.exception("%s: poll", name)
            await asyncio.sleep(pause)

    async def _catch_up(self, name: str, pos: Pos, cafe: str, hold: Hold) -> None:
        """Polls until nothing new is found. A cursor moves in the transaction of what it passed."""
        cursor = await self._database.read(load, f"poll:{name}", cafe)
        for _ in range(PAGES_AT_ONCE):
            async with asyncio.timeout(POLL_TIMEOUT):
                found = await pos.poll(cafe, cursor)
            if not hold():
                return
            await self._database.write(_count_polled, name, cafe, found, self._clock())
            asked, cursor = cursor, found.cursor
            if not found.events or cursor == asked:
                return

    async def _repeat(self, hold: Hold, work: Callable[[Tx, datetime], bool], every: float) -> None:
        """A batch at a time, so that no order waits for it."""
        while hold():
            try:
                more = await self._database.write(work, self._clock())
            except Exception as error:
                log.warning("%s: %s", work.__module__, type(error).__name__)
                more = False
            await asyncio.sleep(BETWEEN_BATCHES if more else every)


def _count_answer(tx: Tx, task: Task, events: list[TillEvent], now: datetime) -> None:
    """What the question brought, as if it had come with the webhook; then the question is over."""
    for event in events:
        _count_alone(tx, task.pos, task.cafe, event, task.arrived_at, now)
    tasks.done(tx, task)


def _count_polled(tx: Tx, pos: str, cafe: str, found: Polled, now: datetime) -> None:
    for event in found.events:
        _count_alone(tx, pos, cafe, event, now, now)
    save(tx, f"poll:{pos}", cafe, found.cursor)


def _count_alone(
    tx: Tx, pos: str, cafe: str, event: TillEvent, arrived_at: datetime, now: datetime
) -> None:
    """One event that can't be counted goes to the event log and holds up no other."""
    try:
        with tx.alone():
            reports.take(tx, pos, cafe, event, arrived_at=arrived_at, now=now)
    except Exception as error:
        if unavailable(error):
            raise
        if not isinstance(error, Refusal):
            log.exception("%s: a report left out", pos)
        reports.not_counted(tx, pos, cafe, event, error, now)


def _give_up(tx: Tx, task: Task, error: str, now: datetime) -> None:
    tasks.done(tx, task)
    eventlog.log(
        tx,
        "fetch_given_up",
        now,
        pos=task.pos,
        cafe=task.cafe,
        ref=task.ref,
        attempts=task.attempts,
        error=storable(error)[:300],
    )


def _wait(error: Exception, attempts: int) -> float:
    """Seconds: what the till system asks for, else about 1, 2, 4 … 900."""
    if isinstance(error, FetchError) and error.retry_after is not None:
        return max(error.retry_after, 0.0)
    return min(2.0 ** min(attempts - 1, 20), LONGEST_BACKOFF) * random.uniform(0.5, 1.5)
