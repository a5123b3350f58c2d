"""Functions that wait for their transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from core.contract import DomainEvent
from core.storage.tx import Tx

Function = Callable[..., Any]
"""Takes the open transaction first."""
Tell = Callable[[Sequence[str], Sequence[DomainEvent]], None]
"""What is told after a commit: what rings, and what happened."""


class Job:
    """One function with its arguments, what came of it, and the future of whoever waits for it."""

    __slots__ = ("args", "error", "fn", "future", "kwargs", "result", "tx")

    def __init__(
        self,
        fn: Function,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        future: asyncio.Future[Any] | None = None,
    ) -> None:
        self.fn, self.args, self.kwargs, self.future = fn, args, kwargs, future
        self.error: BaseException | None = None
        self.result: Any = None

    def run(self, tx: Tx) -> None:
        """What fails in it undoes the whole transaction."""
        self.tx, self.error = tx, None
        self.result = self.fn(tx, *self.args, **self.kwargs)

    def run_alone(self, tx: Tx) -> None:
        """With a savepoint: what fails in it is undone alone."""
        tx.savepoint()
        try:
            self.run(tx)
        except Exception as error:
            tx.rollback_to_savepoint()
            self.error = error
        else:
            tx.release_savepoint()

    def outcome(self) -> Any:
        """Its result, or else what it failed of is raised."""
        if self.error is not None:
            raise self.error
        return self.result

    @property
    def wanted(self) -> bool:
        return self.future is None or not self.future.cancelled()

    def answer(self) -> None:
        """On the event loop of whoever waits."""
        if self.future is None or self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


def fail(group: Sequence[Job], error: Exception) -> None:
    for job in group:
        job.error = error


def answer(group: Sequence[Job]) -> None:
    for job in group:
        job.answer()


def soon(loop: asyncio.AbstractEventLoop, do: Callable[..., None], *args: Any) -> None:
    """One wake-up of the loop for a whole group: one for each would cost more than an order's
    statements."""
    with suppress(RuntimeError):  # the loop has just closed
        loop.call_soon_threadsafe(do, *args)


def tell_of(jobs: Sequence[Job], tell: Tell) -> None:
    """Of those that are committed now."""
    committed = [job.tx for job in jobs if job.error is None]
    rings = [ring for tx in committed for ring in tx.rings]
    events = [event for tx in committed for event in tx.events]
    if rings or events:
        tell(rings, events)
