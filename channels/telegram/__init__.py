"""Telegram, by aiogram: https://core.telegram.org/bots/api

Reads in the order of every adapter here: settings and limits, receive, render, send.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pydantic import ValidationError

import malva
from channels.telegram.errors import FAILURES, not_modified, send_error
from channels.telegram.lean import Bot, exceptions, methods, types
from channels.telegram.opened import viewer
from channels.telegram.render import CAPTION, TEXT, calls, card_button
from channels.telegram.session import SECONDS, Session, loads
from channels.telegram.settings import Settings
from channels.telegram.updates import KINDS, intruded, understand
from malva import Finding, Inbound, Outbound, Sent

CONTRACT = 1

log = logging.getLogger(__name__)

POLL_SECONDS = 25
AGAIN = 2.0
"""Seconds after which a getUpdates that failed is repeated."""
LONGEST_PAUSE = 60.0
COMMANDS = {
    "start": malva.N_("Open the menu"),
    "help": malva.N_("How this works"),
    "stop": malva.N_("No more offers"),
}


class _RawUpdates(methods.TelegramMethod[list[Any]]):
    """getUpdates with its updates unread: aiogram's own would refuse all of them for one."""

    __returning__ = list[Any]
    __api_method__ = "getUpdates"

    offset: int | None = None
    timeout: int
    allowed_updates: list[str]


@malva.hookimpl
def channel(settings: Settings, gateway: malva.Gateway) -> Telegram:
    return Telegram(settings, gateway)


class Telegram:
    # https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
    capabilities = malva.Capabilities(
        title="Telegram",
        options=100,
        text_length=TEXT,
        caption_length=CAPTION,
        edits=True,
        asks_phone=True,
        pace=malva.Pace(30, 30),
        chat_pace=malva.Pace(1, 20),
    )

    def __init__(self, settings: Settings, gateway: malva.Gateway) -> None:
        self._settings = settings
        self._gateway = gateway
        token = settings.token.get_secret_value()
        self._bot = Bot(token, session=Session(gateway.http, settings.api_base.rstrip("/")))
        self._secret = settings.secret()
        self._username: str | None = None

    # -- receive -------------------------------------------------------------------------------

    def verify(self, request: malva.Request) -> None:
        given = request.headers.get("x-telegram-bot-api-secret-token", "")
        if not hmac.compare_digest(given.encode(), self._secret.encode()):
            raise malva.Refused("the secret token is not ours")

    def parse(self, request: malva.Request) -> Sequence[Inbound]:
        try:
            document = loads(request.body)
        except ValueError:
            document = None
        if not isinstance(document, dict):  # Telegram repeats for a day what it gets no 200 for
            raise malva.Unreadable("the body is no update", tolerate=True)
        return self._taken([document])

    def _taken(self, documents: Sequence[Any]) -> list[Inbound]:
        """What guests did; one bad update never spoils the others. Private chats only: a group
        is left without a word."""
        events, groups = [], set()
        for document in documents:
            try:
                update = types.Update.model_validate(document)
            except ValidationError as error:
                log.warning("telegram: an update left out: %d faults", error.error_count())
                continue
            if group := intruded(update):
                groups.add(group)
            elif event := understand(update):
                events.append(event)
        for group in groups:
            self._gateway.background(self._quietly(methods.LeaveChat(chat_id=group)))
        return events

    async def acknowledge(self, event: malva.Received) -> None:
        """Stops the spinner on a pressed button."""
        if isinstance(event, Inbound) and event.handle:
            await self._quietly(methods.AnswerCallbackQuery(callback_query_id=event.handle))

    def viewer(self, data: str) -> malva.Sender | None:
        token = self._settings.token.get_secret_value()
        return viewer(token, data, self._gateway.now())

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._until_done(self._introduce))
            tasks.create_task(self._listen())

    async def _introduce(self) -> None:
        self._username = (await self._bot.get_me()).username
        for language in ("en", "sr", "ru"):
            commands = [
                types.BotCommand(
                    command=command, description=self._gateway.translate(language, description)
                )
                for command, description in COMMANDS.items()
            ]
            await self._bot.set_my_commands(
                commands, language_code=None if language == "en" else language
            )
        if button := card_button(self._gateway.public_url, self._gateway.business):
            await self._quietly(methods.SetChatMenuButton(menu_button=button))

    async def _listen(self) -> None:
        if self._settings.mode == "webhook":
            return await self._until_done(self._register)
        while True:  # one node polls: the one that holds the bot
            async with self._gateway.hold("updates") as held:
                await self._until_done(self._forget_webhook)
                offset: int | None = None
                while held():
                    offset = await self._poll(offset)

    async def _register(self) -> None:
        await self._bot.set_webhook(
            f"{self._gateway.public_url}/channels/{self._gateway.name}/webhook",
            secret_token=self._secret,
            allowed_updates=KINDS,
            max_connections=40,
        )

    async def _forget_webhook(self) -> None:
        await self._bot.delete_webhook(drop_pending_updates=False)

    async def _poll(self, offset: int | None) -> int | None:
        """One getUpdates; the next offset. It moves after the commit: what we don't take comes
        again."""
        asked = _RawUpdates(offset=offset, timeout=POLL_SECONDS, allowed_updates=KINDS)
        try:
            documents = await self._bot(asked, request_timeout=POLL_SECONDS + SECONDS)
            if events := self._taken(documents):
                await self._gateway.receive(events)
        except Exception as error:  # whatever it is, polling goes on
            wait = send_error(error).retry_after or AGAIN
            log.warning("telegram: getUpdates: %s; again in %.0f s", type(error).__name__, wait)
            await asyncio.sleep(wait)
            if isinstance(error, exceptions.TelegramConflictError):  # a webhook has come up
                await self._quietly(methods.DeleteWebhook())
            return offset
        return max((one["update_id"] + 1 for one in documents if _has_id(one)), default=offset)

    # -- render --------------------------------------------------------------------------------

    def render_inline(self, message: Outbound) -> tuple[bytes, str]:
        raise NotImplementedError("Telegram has no inline replies")

    def join_link(self, payload: str) -> str | None:
        return f"https://t.me/{self._username}?start={payload}" if self._username else None

    # -- send ----------------------------------------------------------------------------------

    async def send(self, delivery: malva.Delivery) -> Sent:
        first: str | None = None
        try:
            for call in calls(delivery):
                answer = await self._bot(call)
                first = first or delivery.replaces or str(answer.message_id)
        except Exception as error:  # SendError and nothing else, and no cause that names the token
            if delivery.replaces and not_modified(error):
                return Sent(delivery.replaces)
            refused = send_error(error)
            refused.uncertain = refused.uncertain or first is not None
            raise refused from None
        return Sent(first)

    async def check(self) -> Sequence[Finding]:
        try:
            me = await self._bot.get_me()
            self._username = me.username
        except (exceptions.TelegramUnauthorizedError, exceptions.TelegramNotFound):
            hint = "ask @BotFather for the bot's token and put it into plugins.toml"
            return [Finding("MALVA-E201", "error", "Telegram does not know this token", hint)]
        except FAILURES as error:
            what = f"Telegram does not answer: {type(error).__name__}"
            return [Finding("MALVA-E202", "error", what, "look at the network and at api_base")]
        found = [Finding("MALVA-I201", "ok", f"Telegram knows the bot as @{me.username}")]
        if self._settings.mode == "webhook" and not self._gateway.public_url.startswith("https://"):
            what = "Telegram delivers to https only, and MALVA_PUBLIC_URL is plain http"
            found.append(Finding("MALVA-W203", "warning", what, 'use https, or mode = "polling"'))
        return found

    async def _quietly(self, method: methods.TelegramMethod[bool]) -> None:
        """A courtesy that may fail: an answer too late, a group already left."""
        try:
            await self._bot(method)
        except FAILURES as error:
            log.info("telegram: %s: %s", type(method).__name__, type(error).__name__)

    async def _until_done(self, step: Callable[[], Awaitable[None]]) -> None:
        delay = 1.0
        while True:
            try:
                return await step()
            except FAILURES as error:
                refused = send_error(error)
                wait = refused.retry_after or delay
                log.warning("telegram: %s: %s; again in %.0f s", step.__name__, refused, wait)
                await asyncio.sleep(wait)
                delay = min(delay * 2, LONGEST_PAUSE)


def _has_id(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(document.get("update_id"), int)
