"""Updates on their way to the bot: kept until confirmed, polled or delivered to a webhook.

https://core.telegram.org/bots/api#getting-updates
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .telegram_rules import ApiError

if TYPE_CHECKING:
    from .telegram import TelegramSimulator

NOT_BY_DEFAULT = {"chat_member", "message_reaction", "message_reaction_count"}


@dataclass
class Pending:
    """An update that waits. `beside`: a duplicate, which doesn't wait for its chat's turn."""

    update: dict[str, Any]
    chat: int
    beside: bool = False
    sending: bool = False
    tries: int = 0


class Updates:
    """The bot's queue, its webhook, and the polls that wait."""

    def __init__(self, simulator: TelegramSimulator) -> None:
        self.simulator = simulator
        self.pending: list[Pending] = []
        self.allowed: set[str] | None = None
        self.next_id = 800_000_001
        self.webhook: dict[str, Any] = {}
        self.last_error: tuple[int, str] | None = None
        self.polls = 0
        self.held: list[Pending] | None = None
        # The vendor repeats at once, then after 1, 2, 4 … 60 s: here on a shorter ladder.
        self.first_wait = 0.1
        self.patience = 60.0

    # Coming in

    def push(self, update: dict[str, Any], chat: int = 0) -> dict[str, Any]:
        """Queues an update; the id is filled in where it has none."""
        with self.simulator.lock:
            if "update_id" not in update:
                update = {"update_id": self.next_id, **update}
            self.next_id = max(self.next_id, update["update_id"] + 1)
            if self.wanted(update):
                entry = Pending(update, chat)
                (self.pending if self.held is None else self.held).append(entry)
        self.simulator.touch()
        return update

    def wanted(self, update: dict[str, Any]) -> bool:
        kinds = update.keys() - {"update_id"}
        if self.allowed:
            return bool(kinds & self.allowed)
        return not kinds & NOT_BY_DEFAULT

    def allow(self, raw: str) -> None:
        """allowed_updates; not given: as it was. An empty list: the default."""
        if raw:
            self.allowed = set(json.loads(raw)) or None

    def copy_of(self, entry: Pending) -> Pending:
        return Pending(entry.update, entry.chat, beside=True)

    @contextmanager
    def rearranged(self, order: Callable[[list[Pending]], list[Pending]]) -> Iterator[None]:
        """Holds back what comes in meanwhile and lets it go in another order."""
        self.held = []
        try:
            yield
        finally:
            with self.simulator.lock:
                held, self.held = self.held, None
                self.pending.extend(order(held))
            self.simulator.touch()

    # Polling

    async def poll(self, params: dict[str, str]) -> list[dict[str, Any]]:
        """getUpdates: https://core.telegram.org/bots/api#getupdates"""
        if self.webhook:
            advice = "use deleteWebhook to delete the webhook first"
            problem = f"can't use getUpdates method while webhook is active; {advice}"
            raise ApiError(409, f"Conflict: {problem}")
        with self.simulator.lock:
            self.polls += 1
            mine = self.polls
            self.allow(params.get("allowed_updates", ""))
            self.confirm(int(params.get("offset") or 0))
        self.simulator.touch()  # a poll that waits is ended by this one
        limit = min(max(int(params.get("limit") or 100), 1), 100)
        timeout = min(max(int(params.get("timeout") or 0), 0), 50)

        def over() -> bool:
            return bool(self.pending or self.webhook) or self.polls != mine

        await self.simulator.until(over, timeout)
        if self.polls != mine:
            advice = "make sure that only one bot instance is running"
            raise ApiError(409, f"Conflict: terminated by other getUpdates request; {advice}")
        if self.webhook:
            raise ApiError(409, "Conflict: terminated by setWebhook request")
        return [entry.update for entry in self.pending[:limit]]

    def confirm(self, offset: int) -> None:
        """Forgets what is older than the offset; a negative one keeps that many from the end."""
        if offset > 0:
            self.pending = [e for e in self.pending if e.update["update_id"] >= offset]
        elif offset < 0:
            self.pending = self.pending[offset:]

    # The webhook

    def describe(self) -> dict[str, Any]:
        """https://core.telegram.org/bots/api#webhookinfo"""
        info = {
            "url": self.webhook.get("url", ""),
            "has_custom_certificate": False,
            "pending_update_count": len(self.pending),
        }
        if self.webhook:
            info |= {"max_connections": self.webhook["max_connections"], "ip_address": "127.0.0.1"}
        if self.last_error:
            info |= {"last_error_date": self.last_error[0]}
            info |= {"last_error_message": self.last_error[1]}
        if self.allowed:
            info["allowed_updates"] = sorted(self.allowed)
        return info

    async def deliver_forever(self) -> None:
        """A chat's updates go one after another, different chats' side by side."""
        while True:
            for entry in self.ready():
                entry.sending = True
                self.simulator.spawn(self.deliver(entry))
            await self.simulator.until(self.ready, None)

    def ready(self) -> list[Pending]:
        with self.simulator.lock:
            found: list[Pending] = []
            waiting: set[int] = set()
            free = self.webhook.get("max_connections", 0) - sum(e.sending for e in self.pending)
            for entry in self.pending:
                if len(found) >= free:
                    break
                if not entry.sending and (entry.beside or entry.chat not in waiting):
                    found.append(entry)
                waiting.add(entry.chat)
            return found

    async def deliver(self, entry: Pending) -> None:
        """Once; what isn't answered with 2xx in time stays in the queue and is repeated."""
        headers = {"Content-Type": "application/json"}
        if secret := self.webhook.get("secret_token"):
            headers["X-Telegram-Bot-Api-Secret-Token"] = secret
        body = json.dumps(entry.update, ensure_ascii=False).encode()
        try:
            done = await self.simulator.post(self.webhook["url"], body, headers, self.patience)
            if done.ok:
                with self.simulator.lock:
                    self.pending = [other for other in self.pending if other is not entry]
                self.obey(done.answer)
            else:
                reason = done.error or f"Wrong response from the webhook: {done.status}"
                self.last_error = (int(time.time()), reason)
                await asyncio.sleep(self.first_wait * 2 ** (entry.tries - 1) * (entry.tries > 0))
                entry.tries += 1
        finally:
            entry.sending = False
        self.simulator.touch()

    def obey(self, answer: str) -> None:
        """A webhook's answer may name a method, whose result nobody learns."""
        with contextlib.suppress(ValueError, ApiError, AttributeError):
            params = json.loads(answer)
            if method := params.pop("method", None):
                text = {k: v if isinstance(v, str) else json.dumps(v) for k, v in params.items()}
                self.simulator.perform(method, text, {})
