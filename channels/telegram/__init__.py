"""Telegram, by aiogram: https://core.telegram.org/bots/api

Reads in the order of every adapter here: settings and limits, receive, render, send, errors.
aiogram is an expensive import (some 2.5 s, 130 MB), so this module is imported only when enabled.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from hmac import compare_digest
from typing import Any, Literal

import orjson
from aiogram import Bot, exceptions, methods, types
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from pydantic import SecretStr, ValidationError, field_validator

import malva
from channels.telegram.errors import FAILURES, send_error
from channels.telegram.render import method_for
from channels.telegram.updates import KINDS, intruded, understand
from malva import Inbound, Outbound, Sent

CONTRACT = 1

log = logging.getLogger(__name__)

POLL_SECONDS = 25
SEND_SECONDS = 10
COMMANDS = {
    "start": malva.N_("Open the menu"),
    "help": malva.N_("How this works"),
    "stop": malva.N_("No more offers"),
}


class Settings(malva.Settings):
    token: SecretStr
    mode: Literal["polling", "webhook"] = "polling"
    webhook_secret: SecretStr | None = None
    api_base: str = "https://api.telegram.org"

    @field_validator("token")
    @classmethod
    def _as_botfather_writes_it(cls, token: SecretStr) -> SecretStr:
        if not re.fullmatch(r"\d+:[\w-]{20,}", token.get_secret_value()):
            raise ValueError("is no bot token: @BotFather writes it as 123456:ABC-DEF…")
        return token

    @field_validator("webhook_secret")
    @classmethod
    def _as_telegram_takes_it(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret and not re.fullmatch(r"[\w-]{1,256}", secret.get_secret_value(), re.ASCII):
            raise ValueError("may hold A-Z, a-z, 0-9, _ and - only, 256 of them at most")
        return secret


class _RawUpdates(methods.TelegramMethod[list[dict[str, Any]]]):
    """getUpdates with its updates unread: aiogram's own would refuse all of them for one."""

    __returning__ = list[dict[str, Any]]
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
        options=100,
        text_length=4096,
        caption_length=1024,
        edits=True,
        asks_phone=True,
        pace=malva.Pace(30, 30),
        chat_pace=malva.Pace(1, 20),
    )

    def __init__(self, settings: Settings, gateway: malva.Gateway) -> None:
        self._settings = settings
        self._gateway = gateway
        session = AiohttpSession(
            api=TelegramAPIServer.from_base(settings.api_base.rstrip("/")),
            json_loads=orjson.loads,
            json_dumps=lambda value: orjson.dumps(value).decode(),
            timeout=SEND_SECONDS,
        )
        self._bot = Bot(settings.token.get_secret_value(), session=session)
        self._username: str | None = None
        self._secret = _webhook_secret(settings, gateway)

    # -- receive -------------------------------------------------------------------------------

    def verify(self, request: malva.Request) -> None:
        given = request.headers.get("x-telegram-bot-api-secret-token", "")
        if not compare_digest(given.encode(), self._secret.encode()):
            raise malva.Refused("the secret token is not ours")

    def parse(self, request: malva.Request) -> Sequence[Inbound]:
        try:
            document = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            raise malva.Unreadable("the body is not JSON") from None
        if not isinstance(document, dict):
            raise malva.Unreadable("the body is no update", tolerate=True)
        return self._taken([document])

    def _taken(self, documents: Sequence[dict[str, Any]]) -> list[Inbound]:
        """What guests did; one bad update never spoils the others. Private chats only: a group
        is left without a word."""
        events = []
        for document in documents:
            try:
                update = types.Update.model_validate(document)
            except ValidationError as error:
                log.warning("telegram: an update left out: %s faults", error.error_count())
                continue
            if group := intruded(update):
                self._gateway.background(self._quietly(methods.LeaveChat(chat_id=group)))
            elif event := understand(update):
                events.append(event)
        return events

    async def acknowledge(self, event: malva.Received) -> None:
        """Stops the spinner on a pressed button."""
        if isinstance(event, Inbound) and event.handle:
            await self._quietly(methods.AnswerCallbackQuery(callback_query_id=event.handle))

    async def run(self) -> None:
        await self._until_done(self._introduce)
        if self._settings.mode == "webhook":
            await self._until_done(self._register)
            return
        async with self._gateway.hold("updates") as held:
            await self._until_done(self._forget_webhook)
            offset: int | None = None
            while held():
                offset = await self._poll(offset)

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
        """One getUpdates. The offset moves after the commit: what we don't take comes again."""
        try:
            documents = await self._bot(
                _RawUpdates(offset=offset, timeout=POLL_SECONDS, allowed_updates=KINDS),
                request_timeout=POLL_SECONDS + SEND_SECONDS,
            )
            if events := self._taken(documents):
                await self._gateway.receive(events)
        except Exception as error:  # whatever it is, polling goes on
            delay = send_error(error).retry_after or 2
            log.warning("telegram: getUpdates: %s; again in %s s", type(error).__name__, delay)
            await asyncio.sleep(delay)
            return offset
        return documents[-1]["update_id"] + 1 if documents else offset

    # -- render --------------------------------------------------------------------------------

    def render_inline(self, message: Outbound) -> tuple[bytes, str]:
        raise NotImplementedError("Telegram has no inline replies")

    def join_link(self, payload: str) -> str | None:
        return f"https://t.me/{self._username}?start={payload}" if self._username else None

    # -- send ----------------------------------------------------------------------------------

    async def send(self, delivery: malva.Delivery) -> Sent:
        try:
            answer = await self._bot(method_for(delivery))
        except exceptions.TelegramBadRequest as error:
            if delivery.replaces and "message is not modified" in error.message:
                return Sent(delivery.replaces)
            raise send_error(error) from None
        except FAILURES as error:
            raise send_error(error) from None
        return Sent(str(answer.message_id) if isinstance(answer, types.Message) else None)

    async def check(self) -> Sequence[malva.Finding]:
        try:
            me = await self._bot.get_me()
        except FAILURES as error:
            what = f"Telegram refused the token: {type(error).__name__}"
            hint = "ask @BotFather for the bot's token and put it into plugins.toml"
            return [malva.Finding("MALVA-E201", "error", what, hint)]
        finally:
            await self._bot.session.close()
        return [malva.Finding("MALVA-I201", "ok", f"Telegram knows the bot as @{me.username}")]

    async def close(self) -> None:
        await self._bot.session.close()

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
                wait = send_error(error).retry_after or delay
                log.warning(
                    "telegram: %s: %s; again in %.0f s", step.__name__, type(error).__name__, wait
                )
                await asyncio.sleep(wait)
                delay = min(delay * 2, 60)


def _webhook_secret(settings: Settings, gateway: malva.Gateway) -> str:
    """The configured one, else one that every node derives alike."""
    if settings.webhook_secret is not None:
        return settings.webhook_secret.get_secret_value()
    return hashlib.sha256(gateway.sign("telegram webhook", gateway.name).encode()).hexdigest()
