"""One channel's way out: what is due is claimed, handed over, and marked, at the channel's pace.

One node at a time holds a channel, so its pace is global. A turn is one transaction: it writes down
what became of the last messages and claims the next. While it waits for its commit, more outcomes
gather; so a busy channel marks many messages at once and an idle one each at once.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.bell import Bell, Rings
from core.contract import Channel, Delivery, SendError
from core.holding import Hold, Holder
from core.outbox import outcomes
from core.outbox.claim import Claimed, Office, Ready, claim, lapse, next_due, prepare
from core.outbox.pace import Pacer
from core.outbox.render import drawn
from core.services import holds, window
from core.services.messages import wake_up
from core.storage.database import Database
from core.storage.tx import Tx
from core.storage.types import storable

log = logging.getLogger(__name__)

IN_FLIGHT = 32
"""So many messages of a channel are on their way at once, RESERVED of them for answers only: a
chat or a campaign that hangs stops nobody else."""
RESERVED = 8
STORED_AT_ONCE = 128
POLL = 1.0
"""Seconds after which the database is looked at though nothing rang."""
LAPSE_EVERY = timedelta(seconds=10)
SEND_TIMEOUT = 50.0
"""Seconds, less than a claim's: an adapter that hangs longer is cut off."""
LONGEST_BACKOFF = 900.0
BROKEN_TRIES = 5
"""So often an adapter may fail with something else than a SendError before its message fails."""


@dataclass(frozen=True, slots=True)
class Turn:
    ready: Sequence[Ready] = ()
    more: bool = False
    next_due: datetime | None = None


class Line:
    """Sends from `start` to `stop`."""

    def __init__(
        self,
        channel: Channel,
        office: Office,
        *,
        database: Database,
        bell: Bell,
        holder: Holder,
        clock: Callable[[], datetime],
    ) -> None:
        self._channel = channel
        self._office = office
        self._database = database
        self._bell = bell
        self._holder = holder
        self._clock = clock
        self._pacer = Pacer(channel.capabilities, clock().timestamp())
        self._flying: dict[int, asyncio.Task[None]] = {}
        self._done: list[outcomes.Outcome] = []
        self._rings = Rings()
        self._look_for_lapsed = clock()
        self._pumping = self._stopping = False

    def start(self) -> None:
        self._running = asyncio.create_task(self._run())

    async def stop(self, patience: float) -> None:
        """Claims nothing more; waits `patience` seconds for what is in the air, marks the rest."""
        self._stopping = True
        if not self._pumping:
            self._running.cancel()
        self._rings.add("stop")
        await asyncio.wait([self._running])
        if self._flying:
            await asyncio.wait(self._flying.values(), timeout=patience)
        late = list(self._flying.values())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        await self._database.write(outcomes.write, self._office.channel, self._done, self._clock())

    async def _run(self) -> None:
        name = self._office.channel
        async with self._bell.subscribe([wake_up(name)]) as self._rings:
            while not self._stopping:
                async with self._holder.hold(f"channel:{name}") as hold:
                    self._pumping = True
                    try:
                        await self._pump(hold)
                    except Exception:
                        log.exception("the outbox of %s stumbled", name)
                        await asyncio.sleep(POLL)
                    self._pumping = False

    # -- turns --------------------------------------------------------------------------------

    async def _pump(self, hold: Hold) -> None:
        await self._lapse(all_=True)
        while hold() and not self._stopping:
            if self._clock() >= self._look_for_lapsed:
                await self._lapse(all_=False)
            turn = await self._turn(hold)
            for ready in turn.ready:
                self._hand_over(ready)
            await self._rings.wait(self._pause_after(turn))

    async def _lapse(self, *, all_: bool) -> None:
        now = self._clock()
        self._look_for_lapsed = now + LAPSE_EVERY
        ours = [*self._flying, *(one.row.id for one in self._done)]
        await self._database.write(lapse, self._office.channel, now, ours, all_=all_)

    async def _turn(self, hold: Hold) -> Turn:
        room, bulk = self._room()
        done, now = self._done[:], self._clock()
        if not (done or room):
            return Turn(more=True)
        turn = await self._database.write(_turn, self._office, hold, done, room, bulk, now)
        del self._done[: len(done)]
        if turn is None:
            hold.lose()
            return Turn()
        return turn

    def _room(self) -> tuple[int, int]:
        """How many messages may be claimed now, and how many of them may be no answers."""
        if self._office.stores:
            return STORED_AT_ONCE, STORED_AT_ONCE
        room, bulk = self._pacer.room(self._seconds())
        free = IN_FLIGHT - len(self._flying)
        return min(room, free), max(min(bulk, free - RESERVED), 0)

    def _pause_after(self, turn: Turn) -> float:
        """Seconds to wait if nothing rings. With every place in the air taken, only a message that
        comes down can change anything, and that rings."""
        now = self._clock()
        pause = POLL
        if turn.next_due is not None:
            pause = min(pause, (turn.next_due - now).total_seconds())
        if turn.more and self._office.stores:
            pause = 0.0
        elif turn.more and IN_FLIGHT - len(self._flying) > RESERVED:
            pause = min(pause, self._pacer.wait(now.timestamp()))
        return pause

    # -- handing over -------------------------------------------------------------------------

    def _hand_over(self, ready: Ready) -> None:
        row, now = ready.row, self._clock()
        wait = self._pacer.chat_wait(row.contact_id, row.lane, now.timestamp())
        if wait > 0 or self._stopping:
            self._came_down(outcomes.Again(row, now + timedelta(seconds=wait)))
            return
        self._pacer.take(row.contact_id, now.timestamp())
        task = self._flying[row.id] = asyncio.create_task(self._send(ready))
        task.add_done_callback(lambda _: self._flying.pop(row.id, None))

    async def _send(self, ready: Ready) -> None:
        try:
            outcome = await self._outcome(ready)
        except asyncio.CancelledError:  # the server stops, and this one took too long
            outcome = outcomes.Again(ready.row, self._clock(), "cut off", uncertain=True)
        self._came_down(outcome)

    async def _outcome(self, ready: Ready) -> outcomes.Outcome:
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                message = await drawn(ready.message, ready.qr)
                row = ready.row
                sent = await self._channel.send(
                    Delivery(row.id, row.address, message, ready.replaces, self._is_open(row))
                )
            name = sent.provider_id
            return outcomes.Sent(row, None if name is None else storable(name))
        except SendError as error:
            return self._refused(ready, error)
        except TimeoutError:
            return self._refused(ready, SendError("no answer", retryable=True, uncertain=True))
        except Exception as error:
            log.exception("%s: message %d", self._office.channel, ready.row.id)
            broken = SendError(
                f"adapter: {type(error).__name__}",
                retryable=ready.row.attempts < BROKEN_TRIES,
                uncertain=True,
            )
            return self._refused(ready, broken)

    def _is_open(self, row: Claimed) -> bool:
        lasts = self._channel.capabilities.window
        return window.is_open(row.heard_at, row.closed_at, lasts, self._clock())

    def _refused(self, ready: Ready, error: SendError) -> outcomes.Outcome:
        row, now, text = ready.row, self._clock(), storable(str(error))[:500]
        if error.window_closed:
            return outcomes.Closed(row, text)
        if error.contact_gone or not error.retryable:
            return outcomes.Failed(row, text, error.uncertain, error.contact_gone)
        wait = _backoff(row.attempts)
        if error.retry_after is not None:
            wait = max(error.retry_after, 0.0)
            self._pause(row.contact_id, row.lane, now.timestamp() + wait, error.channel_wide)
        return outcomes.Again(row, now + timedelta(seconds=wait), text, error.uncertain)

    def _pause(self, contact_id: int, lane: int, until: float, channel_wide: bool) -> None:
        if channel_wide:
            self._pacer.pause_channel(until)
        else:
            self._pacer.pause_chat(contact_id, lane, until)

    def _came_down(self, outcome: outcomes.Outcome) -> None:
        self._flying.pop(outcome.row.id, None)
        self._done.append(outcome)
        self._rings.add("came down")

    def _seconds(self) -> float:
        return self._clock().timestamp()


def _turn(
    tx: Tx,
    office: Office,
    hold: Hold,
    done: Sequence[outcomes.Outcome],
    room: int,
    bulk: int,
    now: datetime,
) -> Turn | None:
    """Writes what is done, claims what may go next. None: another node has the channel."""
    if done:
        outcomes.write(tx, office.channel, done, now)
    if not tx.is_sqlite and not holds.current(tx, hold.name, hold.fence):
        return None
    claimed, more = claim(tx, office.channel, room, bulk, now)
    ready = list(prepare(tx, claimed, office, now))
    more = more or len(ready) < len(claimed)  # what is done with here lets the next of its lane go
    return Turn(ready, more, None if more else next_due(tx, office.channel, now))


def _backoff(attempts: int) -> float:
    """Seconds until the next try: about 1, 2, 4 … 900, by half as much up or down."""
    return min(2.0 ** min(attempts - 1, 20), LONGEST_BACKOFF) * random.uniform(0.5, 1.5)
