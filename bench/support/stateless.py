"""What message in → reply out costs where nothing is stored: `python -m bench.support.stateless
PORT API_BASE`.

`/malva` is the same endpoint as Malva's, by the same adapter and the same HTTP client, without
database, conversation and outbox: it answers each message with a menu. `/aiogram` is what the peers
do: aiogram's dispatcher behind Starlette, its handler answers with the same menu. `/chat/…` is the
web chat's protocol: what is written there is answered on the visitor's event stream.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import uvicorn
from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import KeyboardButton, Message, ReplyKeyboardMarkup, Update
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

import malva
from bench.support.webhooks import SECRET, TOKEN
from channels.telegram import Telegram
from channels.telegram.settings import Settings
from channels.webchat import wire
from core.wire import Wire

MENU = ("☕ My card", "🏆 Points", "⚙️ Settings")
KEYBOARD = ReplyKeyboardMarkup(keyboard=[[KeyboardButton(text=label)] for label in MENU])
OPTIONS = tuple((malva.Option(label, label),) for label in MENU)


def application(api_base: str) -> Starlette:
    return Starlette(
        routes=[
            Route("/malva", _Ours(api_base), methods=["POST"]),
            Route("/aiogram", _Aiogram(api_base), methods=["POST"]),
            Route("/chat/messages", _written, methods=["POST"]),
            Route("/chat/events", _events),
        ]
    )


class _Ours:
    def __init__(self, api_base: str) -> None:
        self.api_base = api_base
        self.settings = Settings.model_validate(
            {"token": TOKEN, "api_base": api_base, "webhook_secret": SECRET}
        )
        self.telegram: Telegram | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self.telegram is None:
            gateway = SimpleNamespace(http=Wire(), name="telegram", public_url="")
            self.telegram = Telegram(self.settings, cast(malva.Gateway, gateway))
        request = HttpRequest(scope, receive)
        asked = malva.Request(
            "POST", str(request.url), dict(request.headers), {}, await request.body()
        )
        self.telegram.verify(asked)
        for event in self.telegram.parse(asked):
            assert isinstance(event, malva.Inbound)
            menu = malva.Outbound(text="This is the menu.", options=OPTIONS, menu=True)
            await self.telegram.send(malva.Delivery(1, event.sender.address, menu))
        await Response()(scope, receive, send)


class _Aiogram:
    def __init__(self, api_base: str) -> None:
        self.api_base = api_base
        self.bot: Bot | None = None
        self.dispatcher = Dispatcher()
        self.dispatcher.message.register(self.answer)

    async def answer(self, message: Message) -> None:
        await message.answer("This is the menu.", reply_markup=KEYBOARD)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self.bot is None:
            api = TelegramAPIServer.from_base(self.api_base)
            self.bot = Bot(TOKEN, session=AiohttpSession(api=api))
        request = HttpRequest(scope, receive)
        update = Update.model_validate_json(await request.body(), context={"bot": self.bot})
        await self.dispatcher.feed_update(self.bot, update)
        await Response()(scope, receive, send)


_streams: dict[str, asyncio.Queue[bytes]] = {}


async def _written(request: HttpRequest) -> Response:
    id_, _ = wire.read_message(await request.body())
    now = datetime.now(UTC)
    menu = malva.StoredMessage(1, now, False, malva.Outbound(text="Menu", options=OPTIONS))
    stream = _streams[request.cookies["malva_chat"]]
    stream.put_nowait(wire.event("message", 1, wire.as_json(menu, "http://here")))
    return JSONResponse({"id": id_})


async def _events(request: HttpRequest) -> Response:
    stream = _streams[request.cookies["malva_chat"]] = asyncio.Queue()

    async def events() -> AsyncIterator[bytes]:
        yield wire.event("history", 0, [])
        while True:
            yield await stream.get()

    return StreamingResponse(events(), media_type="text/event-stream")


if __name__ == "__main__":
    app = application(sys.argv[2])
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
