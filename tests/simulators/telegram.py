"""The Telegram Bot API on loopback: https://core.telegram.org/bots/api

    with TelegramSimulator() as telegram:
        bot = Bot(telegram.token, AiohttpSession(api=TelegramAPIServer.from_base(telegram.url)))
        guest = telegram.guest(first_name="Ana", language_code="sr", phone="+381601234567")

The bot's methods are in `telegram_methods`, the vendor's limits in `telegram_rules`, updates in
`telegram_updates`, and what a guest does and sees in `telegram_chats` and `telegram_messages`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from typing import Any

from aiohttp import web

from core.testkit.simulator import Call, Simulator

from . import telegram_rules as rules
from .telegram_chats import Chat, Group, Guest
from .telegram_messages import Message, Press
from .telegram_methods import Files, Methods, Params
from .telegram_rules import ApiError, bad_request
from .telegram_updates import Updates

PATH = re.compile(r"/bot(?P<token>[^/]*)/(?P<method>\w+)")
REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden: bot was blocked by the user",
    404: "Not Found",
    409: "Conflict",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
}


class TelegramSimulator(Simulator):
    """One bot, its chats, and everything that is done with them."""

    token = "7001234567:AAF-SimulatedTokenThatOpensNothing0"
    callback_patience = 15.0
    """Seconds in which a callback query may be answered; the vendor names no figure."""

    def __init__(self, username: str = "malva_test_bot") -> None:
        super().__init__()
        self.bot = {
            "id": int(self.token.split(":")[0]),
            "is_bot": True,
            "first_name": "Malva",
            "username": username,
        }
        self.chats: dict[int, Chat] = {}
        self.updates = Updates(self)
        self.uploads: dict[str, bytes] = {}
        self.presses: dict[str, Press] = {}
        self.commands: dict[tuple[str, str], list[dict[str, str]]] = {}
        self.menu_buttons: dict[int, dict[str, Any]] = {}
        self.profile: dict[tuple[str, str], str] = {}
        self.flood: tuple[float, float] | None = None
        self.revision = 0
        self.numbers = iter(range(1, 1 << 50))
        self.methods = Methods(self)
        rules.parameters_of()  # imports aiogram now, not within the first call's time-out

    # The tests' side

    def guest(
        self,
        id: int | None = None,
        *,
        first_name: str = "Ana",
        last_name: str | None = None,
        username: str | None = None,
        language_code: str | None = "en",
        phone: str | None = None,
    ) -> Guest:
        """A person on Telegram. Ids have more than 32 bits, as real ones do."""
        number = id or 5_000_000_000 + next(self.numbers)
        profile = {"first_name": first_name, "last_name": last_name, "username": username}
        guest = Guest(self, number, phone, **profile, language_code=language_code)
        self.chats[number] = guest
        return guest

    def group(self, id: int | None = None, title: str = "Coffee lovers") -> Group:
        group = Group(self, id or -1_001_000_000_000 - next(self.numbers), title)
        self.chats[group.id] = group
        return group

    def push(self, update: dict[str, Any]) -> dict[str, Any]:
        """A raw update; `update_id` is filled in where it has none."""
        return self.updates.push(update)

    def duplicated(self, copies: int = 2) -> AbstractContextManager[None]:
        """What guests do inside comes that many times, at the same moment."""

        def repeat(held: list[Any]) -> list[Any]:
            kind = self.updates.copy_of
            return [copy for e in held for copy in (e, *(kind(e) for _ in range(copies - 1)))]

        return self.updates.rearranged(repeat)

    def out_of_order(self) -> AbstractContextManager[None]:
        """What guests do inside comes in the opposite order."""
        return self.updates.rearranged(lambda held: held[::-1])

    def limit_floods(self, per_second: float = 1.0, burst: float = 3) -> None:
        """A chat takes `burst` messages at once, then so many a second; more are refused with 429.

        https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
        """
        self.flood = (per_second, burst)

    def to(self, chat: Chat) -> Callable[[Call], bool]:
        """For faults that meet one chat: `telegram.fail("send*", 403, when=telegram.to(guest))`."""
        return lambda call: call.params.get("chat_id") == str(chat.id)

    def now(self) -> int:
        return int(time.time())

    # Serving

    def background(self) -> list[Coroutine[Any, Any, None]]:
        return [self.updates.deliver_forever()]

    async def read(self, request: web.Request) -> Call:
        """Query, JSON, form or multipart: https://core.telegram.org/bots/api#making-requests"""
        path = PATH.fullmatch(request.path)
        params: Params = dict(request.query)
        files: Files = {}
        if request.content_type == "application/json":
            given = read_json(await request.read())
            # What is no text stays as written: "reply_markup": null is not the same as none.
            text = {k: v if isinstance(v, str) else json.dumps(v) for k, v in given.items()}
            params |= text
        else:
            for name, value in (await request.post()).items():
                if isinstance(value, web.FileField):
                    files[name] = value.file.read()
                else:
                    params[name] = str(value)
        token, method = (path["token"], path["method"]) if path else ("", request.path)
        return Call(method, params, dict(request.headers), files, token=token)

    async def answer(self, call: Call) -> web.Response:
        try:
            self.check_token(call.token)
            if call.name.lower() == "getupdates":
                rules.check_parameters(call.name, set(call.params))
                result = await self.updates.poll(call.params)
            else:
                result = self.perform(call.name, call.params, call.files)
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            return self.refuse(bad_request(f"the simulator can't read this: {problem!r}"))
        except ApiError as error:
            return self.refuse(error)
        return web.json_response({"ok": True, "result": result})

    def refuse(self, error: ApiError) -> web.Response:
        """https://core.telegram.org/bots/api#responseparameters"""
        body = {"ok": False, "error_code": error.code, "description": error.description}
        headers = {}
        if error.parameters:
            body["parameters"] = error.parameters
            headers = {"Retry-After": str(error.parameters["retry_after"])}
        return web.json_response(body, status=error.code, headers=headers)

    def error_body(self, status: int, description: str | None, retry_after: float | None) -> str:
        text = description or REASONS.get(status, "Internal Server Error")
        body: dict[str, Any] = {"ok": False, "error_code": status, "description": text}
        if retry_after is not None:
            body["description"] = description or f"{text}: retry after {retry_after:g}"
            body["parameters"] = {"retry_after": retry_after}
        return json.dumps(body)

    def check_token(self, token: str) -> None:
        if token == self.token:
            return
        if re.fullmatch(r"\d+:[\w-]+", token):
            raise ApiError(401, "Unauthorized")
        raise ApiError(404, "Not Found")

    def perform(self, method: str, params: Params, files: Files) -> Any:
        with self.lock:
            result = self.methods(method, params, files)
        self.touch()
        return result

    # Records that the guests' side needs

    def remember(
        self, chat: Chat, sender: dict[str, Any], kind: str, text: str, **fields: Any
    ) -> Message:
        with self.lock:
            self.revision += 1
            number = next(self.numbers)
            fields["revision"] = self.revision
            message = Message(number, chat, sender, kind, self.now(), text, **fields)
            chat.everything.append(message)
        self.touch()
        return message

    def push_membership(self, chat: Chat, by: dict[str, Any], old: str, new: str) -> None:
        """https://core.telegram.org/bots/api#chatmemberupdated"""
        change = {
            "chat": chat.as_json(),
            "from": by,
            "date": self.now(),
            "old_chat_member": self.member(old),
            "new_chat_member": self.member(new),
        }
        self.updates.push({"my_chat_member": change}, chat.id)

    def member(self, status: str) -> dict[str, Any]:
        banned = {"until_date": 0} if status == "kicked" else {}
        return {"user": self.bot, "status": status, **banned}

    def push_callback(self, guest: Guest, message: Message, data: str) -> Press:
        """https://core.telegram.org/bots/api#callbackquery"""
        press = Press(
            query=str(4_000_000_000_000_000_000 + next(self.numbers)), at=time.monotonic()
        )
        self.presses[str(press.query)] = press
        query = {
            "id": press.query,
            "from": guest.user,
            "message": message.as_json(),
            "chat_instance": str(-guest.id),
            "data": data,
        }
        self.updates.push({"callback_query": query}, guest.id)
        return press

    def file_json(self, data: bytes, width: int, height: int) -> dict[str, Any]:
        """Keeps a file; the same bytes sent again are another file to the vendor."""
        number = next(self.numbers)
        file_id = f"AgACAgIAAxkDAAI{number:06d}"
        self.uploads[file_id] = data
        size = {"width": width, "height": height, "file_size": len(data)}
        return {"file_id": file_id, "file_unique_id": f"AQAD{number:06d}", **size}


def read_json(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body or b"{}")
    except ValueError:
        given = None
    if not isinstance(given, dict):
        problem = {"ok": False, "error_code": 400, "description": "Bad Request: can't parse JSON"}
        raise web.HTTPBadRequest(text=json.dumps(problem), content_type="application/json")
    return given
