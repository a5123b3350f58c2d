"""Viber's REST API on loopback, for one bot: https://developers.viber.com/docs/api/rest-bot-api/

    with ViberSimulator() as viber:
        guest = viber.guest(name="Ana", language="sr", phone="+381601234567")
        # … a Malva with api_base = viber.url, which sets its webhook here …
        guest.opens("cafe_bife")
        guest.presses("Srpski")

What guests do and see is in `viber_guests`, the vendor's limits in `viber_rules`. How long an event
takes, and how soon one that was not taken comes again, are this simulator's own.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import aiohttp
from aiohttp import web

from core.testkit.simulator import Call, Delivery, Simulator

from . import viber_rules as rules
from .viber_guests import Guest, Message
from .viber_rules import ApiError

ALWAYS = {"message", "subscribed", "unsubscribed"}
FIRST_TOKEN = 4912661846655238145
AGAIN = 0.1
"""Seconds after which an event that got no 200 is sent again."""


class ViberSimulator(Simulator):
    """One bot. `story` is what is told of a message that arrives, in this order; `early`: before
    the API has answered; `copies`: each event so often; `tries`: how often an event comes that
    gets no 200; `https_only`: a webhook at plain http is refused, as Viber does. `picture` is had
    under any name that ends on .png."""

    token = "445da6az1s345z78-dazcczb2542zv51a-e0vc5fva17480im9"
    name = "BIFE"
    uri = "bifecoffee"

    def __init__(self) -> None:
        super().__init__()
        self.guests: dict[str, Guest] = {}
        self.story: Sequence[str] = ("delivered",)
        self.early = False
        self.copies = 1
        self.tries = 3
        self.https_only = False
        self.webhook = ""
        self.event_types: set[str] = set()
        self.tells_names = False
        self.revision = 0
        self.numbers = iter(range(FIRST_TOKEN, 1 << 63))
        self.picture = b""
        self.held: list[tuple[Guest | None, dict[str, Any]]] | None = None
        self.finished: Counter[str] = Counter()

    # The tests' side

    def guest(
        self,
        name: str = "Ana",
        *,
        language: str | None = "en",
        phone: str | None = None,
        subscribed: bool = False,
    ) -> Guest:
        guest = Guest(self, secrets.token_urlsafe(16) + "==", name, language, phone)
        guest.subscribed = subscribed
        self.guests[guest.id] = guest
        return guest

    def signature(self, body: bytes, token: str = "") -> str:
        return hmac.new((token or self.token).encode(), body, hashlib.sha256).hexdigest()

    def event(self, event: str, **fields: Any) -> dict[str, Any]:
        """https://developers.viber.com/docs/api/rest-bot-api/#callbacks"""
        return {
            "event": event,
            "timestamp": int(time.time() * 1000),
            "chat_hostname": "SN-CHAT-01_",
            "message_token": next(self.numbers),
            **fields,
        }

    def deliver(self, event: str, guest: Guest | None = None, **fields: Any) -> str:
        """Tells the webhook; gives the event's message_token. Nobody is told what nobody asked
        for."""
        document = self.event(event, **fields)
        if event in ALWAYS | self.event_types or event not in self.known_events():
            assert self.webhook, "the bot has no webhook"
            self.push(guest, document)
        return str(document["message_token"])

    def known_events(self) -> set[str]:
        return ALWAYS | {"delivered", "seen", "failed", "conversation_started"}

    def push(self, guest: Guest | None, document: dict[str, Any]) -> None:
        if self.held is None:
            self.spawn(self.pushed(guest, document))
        else:
            self.held.append((guest, document))

    async def pushed(self, guest: Guest | None, document: dict[str, Any]) -> None:
        copies = [self.call_webhook(guest, document) for _ in range(self.copies)]
        await asyncio.gather(*copies)

    @contextmanager
    def out_of_order(self) -> Iterator[None]:
        """What happens in here is told afterwards, the last first."""
        self.held = []
        try:
            yield
        finally:
            held, self.held = self.held, None
            for guest, document in reversed(held):
                self.push(guest, document)

    def wait_answered(self, token: str, timeout: float = 5.0) -> list[Delivery]:
        """Waits until every copy of the event with this message_token is answered, or has failed
        for the last time, and what came with the answer is shown."""
        self.wait_until(
            lambda: self.finished[token] >= self.copies, timeout, f"an answer to the event {token}"
        )
        return [one for one in list(self.deliveries) if token.encode() in one.body]

    def wait_registered(self, url: str, timeout: float = 10.0) -> None:
        """Waits until a Malva at `url` has set its webhook."""
        self.wait_until(lambda: self.webhook.startswith(url), timeout, "set_webhook")

    def to(self, guest: Guest) -> Callable[[Call], bool]:
        """For faults that meet one guest: `viber.refuse(6, when=viber.to(guest))`."""
        return lambda call: call.params.get("receiver") == guest.id

    def refuse(self, status: int, name: str = "send_message", **more: Any) -> None:
        """The next calls are answered 200, with this status."""
        self.fail(name, 200, body=json.dumps(ApiError(status).body()), **more)

    # Serving

    async def read(self, request: web.Request) -> Call:
        body = await request.read()
        try:
            document = json.loads(body or b"{}")
        except ValueError:
            document = None
        call = Call(request.path.rsplit("/", 1)[-1], {}, dict(request.headers), body=body)
        call.params = document if isinstance(document, dict) else {"unreadable": True}
        call.token = request.headers.get("X-Viber-Auth-Token", "")
        return call

    async def answer(self, call: Call) -> web.Response:
        if call.name.endswith(".png"):
            return web.Response(body=self.picture, content_type="image/png")
        try:
            told = await self.carry_out(call)
        except ApiError as error:
            return web.json_response(error.body())
        self.touch()
        return web.json_response({"status": 0, "status_message": "ok", **told})

    async def carry_out(self, call: Call) -> dict[str, Any]:
        given = call.token or call.params.get("auth_token", "")
        if not hmac.compare_digest(str(given).encode(), self.token.encode()):
            raise ApiError(2, "invalidAuthToken" if given else "missing_auth_token")
        if len(call.body) > rules.REQUEST or "unreadable" in call.params:
            raise ApiError(3)
        match call.name:
            case "get_account_info":
                return self.account()
            case "set_webhook":
                return await self.set_webhook(call.params)
            case "send_message":
                return await self.send_message(call.params)
        raise ApiError(3, f"no such method: {call.name}")

    def error_body(self, status: int, description: str | None, retry_after: float | None) -> str:
        return json.dumps({"status": 99, "status_message": description or "generalError"})

    def account(self) -> dict[str, Any]:
        return {
            "id": "pa:75346594275468546724",
            "name": self.name,
            "uri": self.uri,
            "category": "Food and Drink",
            "country": "RS",
            "webhook": self.webhook,
            "event_types": sorted(self.event_types),
            "subscribers_count": sum(guest.subscribed for guest in self.guests.values()),
        }

    async def set_webhook(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The call that proves the address comes while this one is still open."""
        url = asked.get("url")
        if url:
            if self.https_only and not url.startswith("https://"):
                raise ApiError(1)
            proof = await self.post_event(url, json.dumps(self.event("webhook")).encode())
            if proof.status != 200:
                raise ApiError(1, f"Result: HttpStatus {proof.status or proof.error}")
        events = asked.get("event_types")
        self.event_types = set(self.known_events() if events is None else events)
        self.tells_names = bool(asked.get("send_name"))
        self.webhook = url or ""
        return {"event_types": sorted(ALWAYS | self.event_types)}

    async def send_message(self, asked: dict[str, Any]) -> dict[str, Any]:
        rules.check_message(asked)
        if not self.webhook:
            raise ApiError(10)
        guest = self.guests.get(asked.get("receiver") or "")
        if guest is None or not guest.registered:
            raise ApiError(5)
        if not guest.subscribed:
            raise ApiError(6)
        if asked.get("min_api_version", 1) > guest.api_version:
            raise ApiError(13)
        self.count(guest)
        message = await self.read_message(asked)
        message.token = str(next(self.numbers))
        self.show(guest, message)
        if self.early:
            await self.tell_all(guest, message)
        else:
            self.spawn(self.tell_all(guest, message))
        return {"message_token": int(message.token), "billing_status": 1}

    def count(self, guest: Guest) -> None:
        """https://developers.viber.com/docs/api/rest-bot-api/#send-message"""
        hour_ago = time.monotonic() - 3600
        guest.unanswered = [at for at in guest.unanswered if at > hour_ago]
        if len(guest.unanswered) >= rules.UNANSWERED:
            raise ApiError(12)
        guest.unanswered.append(time.monotonic())

    async def read_message(self, asked: dict[str, Any]) -> Message:
        """The message as the app makes it; what it can't show has failed."""
        message = Message(
            token="",
            kind=asked["type"],
            text=asked["text"],
            keyboard=asked.get("keyboard", {}),
            media=asked.get("media", ""),
        )
        if message.media:
            await self.fetch(message)
        if len(message.rows) > rules.ROWS:
            message.failed = "keyboard is too high"
        return message

    async def fetch(self, message: Message) -> None:
        try:
            async with self.http.get(message.media) as answer:
                message.picture = await answer.read()
                picture = answer.status == 200 and answer.content_type.startswith("image/")
                if not picture or len(message.picture) > rules.LARGEST_PICTURE:
                    message.failed = "the picture can't be loaded"
        except (aiohttp.ClientError, OSError):
            message.failed = "the picture can't be loaded"

    def show(self, guest: Guest, message: Message) -> None:
        with self.lock:
            self.revision += 1
            message.revision = self.revision
            guest.everything.append(message)
        self.touch()

    # Events

    async def tell_all(self, guest: Guest, message: Message) -> None:
        for event in ("failed",) if message.failed else self.story:
            document = self.receipt(guest, message, event)
            if self.held is not None:
                self.held.append((guest, document))
            elif event in self.event_types:
                await self.pushed(guest, document)

    def tell(self, guest: Guest, message: Message, event: str) -> str:
        """What became of a message, later than by itself; gives its message_token."""
        self.push(guest, self.receipt(guest, message, event))
        return message.token

    def receipt(self, guest: Guest, message: Message, event: str) -> dict[str, Any]:
        why = {"desc": message.failed} if event == "failed" else {}
        return self.event(event, message_token=int(message.token), user_id=guest.id, **why)

    async def call_webhook(self, guest: Guest | None, document: dict[str, Any]) -> None:
        """Again and again until it is taken. The response to conversation_started may hold a
        welcome."""
        url, body = self.webhook, json.dumps(document).encode()
        for attempt in range(self.tries):
            await asyncio.sleep(AGAIN if attempt else 0)
            delivery = await self.post_event(url, body)
            if delivery.status == 200:
                if guest is not None and document["event"] == "conversation_started":
                    await self.welcome(guest, delivery.answer)
                break
        self.finished[str(document["message_token"])] += 1
        self.touch()

    async def welcome(self, guest: Guest, answer: str) -> None:
        """https://developers.viber.com/docs/api/rest-bot-api/#sending-a-welcome-message: what is
        no message is shown to nobody."""
        try:
            document = json.loads(answer)
            rules.check_message(document)
        except (ValueError, AttributeError, ApiError):
            return
        message = await self.read_message(document)
        message.welcome = True
        self.show(guest, message)

    async def post_event(self, url: str, body: bytes) -> Delivery:
        headers = {
            "Content-Type": "application/json",
            "X-Viber-Content-Signature": self.signature(body),
        }
        return await self.post(url, body, headers, 10.0)
