"""Twilio's Messages and Content APIs on loopback, for one WhatsApp sender.

    with TwilioSimulator() as twilio:
        twilio.webhook(malva + "/channels/whatsapp/webhook")
        guest = twilio.guest("+381601234567", name="Ana")
        guest.starts("cafe_bife")

https://www.twilio.com/docs/messaging/api/message-resource · what guests do and see is in
`twilio_guests`, contents in `twilio_content`, the vendor's limits in `twilio_rules`. How long a
message takes, and the time between callbacks, are this simulator's own.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import aiohttp
from aiohttp import web
from twilio.request_validator import RequestValidator

from core.testkit.simulator import Call, Delivery, Simulator

from . import twilio_rules as rules
from .twilio_content import Contents
from .twilio_guests import Guest, Message
from .twilio_rules import ApiError

WINDOW = timedelta(hours=24)


class TwilioSimulator(Simulator):
    """One account, one sender. `story` is what its callbacks tell of a message that arrives, in
    this order; `early`: before the API has answered; `copies`: each webhook so often.
    `late_window`: 63016 comes by callback, as it does, or at once."""

    account_sid = "AC00000000000000000000000000000001"
    auth_token = "the-auth-token-that-opens-nothing"
    sender = "whatsapp:+381600000000"

    def __init__(self) -> None:
        super().__init__()
        self.guests: dict[str, Guest] = {}
        self.contents = Contents()
        self.story: Sequence[str] = ("queued", "sent", "delivered")
        self.early = False
        self.copies = 1
        self.late_window = True
        self.fails_with: list[int] = []
        self.revision = 0
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.numbers = iter(range(1, 1 << 50))
        self.answers_at = self.signed_for = ""

    # The tests' side

    def webhook(self, url: str, signed_for: str = "") -> None:
        """Where inbound messages go; `signed_for` is the address that was configured at Twilio,
        where a proxy stands before `url`."""
        self.answers_at, self.signed_for = url, signed_for or url

    def guest(
        self, phone: str | None = "+381601234567", *, name: str = "Ana", user_id: str = ""
    ) -> Guest:
        guest = Guest(self, phone, name, user_id or f"RS.{next(self.numbers):016d}")
        self.guests[guest.address] = guest
        return guest

    def signature(self, url: str, fields: dict[str, str], token: str = "") -> str:
        validator = RequestValidator(token or self.auth_token)
        return str(validator.compute_signature(url, fields))

    def deliver_inbound(self, guest: Guest, fields: dict[str, str]) -> str:
        """https://www.twilio.com/docs/messaging/guides/webhook-request; gives the MessageSid."""
        sid = self.sid("SM")
        number = {"WaId": guest.phone.lstrip("+")} if guest.phone else {}
        common = {
            "MessageSid": sid,
            "SmsSid": sid,
            "SmsMessageSid": sid,
            "AccountSid": self.account_sid,
            "From": guest.address,
            "To": self.sender,
            "ExternalUserId": f"whatsapp:{guest.user_id}",
            "ProfileName": guest.name,
            "NumMedia": "0",
            "NumSegments": "1",
            "SmsStatus": "received",
            "ApiVersion": "2010-04-01",
            "ReferralNumMedia": "0",
            "ChannelMetadata": '{"type":"whatsapp","data":{}}',
        }
        assert self.answers_at, "the sender has no webhook"
        for _ in range(self.copies):
            self.spawn(self.push(self.answers_at, self.signed_for, {**common, **number, **fields}))
        return sid

    def wait_answered(self, sid: str, timeout: float = 5.0) -> list[Delivery]:
        """Waits until every copy of the webhook with this MessageSid is answered or has failed."""

        def answered() -> list[Delivery]:
            mine = [d for d in list(self.deliveries) if sid.encode() in d.body and d.over]
            return mine if len(mine) >= self.copies else []

        return list(self.wait_until(answered, timeout, f"the webhook of {sid}"))

    def to(self, guest: Guest) -> Callable[[Call], bool]:
        """For faults that meet one guest: `twilio.fail("messages", 500, when=twilio.to(guest))`."""
        return lambda call: call.params.get("To") == guest.address

    @property
    def sent(self) -> list[Message]:
        everything = [m for guest in self.guests.values() for m in list(guest.everything)]
        return sorted(everything, key=lambda message: message.revision)

    def sid(self, prefix: str) -> str:
        return f"{prefix}{next(self.numbers):032x}"

    # Serving

    async def read(self, request: web.Request) -> Call:
        body = await request.read()
        if request.content_type == "application/json":
            try:
                params = {"document": json.loads(body)}
            except ValueError:
                params = {}
        else:
            params = dict(parse_qsl(body.decode(), keep_blank_values=True))
        parts = request.path.strip("/").split("/")
        name = "content" if "Content" in parts else "messages"
        if parts[-1] == "ApprovalRequests":
            name, parts = "approval", parts[:-1]
        elif parts[-1] == f"{self.account_sid}.json":
            name = "account"
        params["path"] = parts[-1]
        params["method"] = request.method
        return Call(name, params, dict(request.headers), body=body)

    async def answer(self, call: Call) -> web.Response:
        try:
            self.check_credentials(call.headers.get("Authorization", ""))
            result = await getattr(self, f"do_{call.name}")(call)
        except ApiError as error:
            return web.json_response(error.body(), status=error.status)
        self.touch()
        if result is None:
            return web.Response(status=204)
        return web.json_response(result, status=201 if call.params["method"] == "POST" else 200)

    def error_body(self, status: int, description: str | None, retry_after: float | None) -> str:
        codes = {401: 20003, 404: 20404, 429: 20429}
        code = codes.get(status, 20500)
        body = rules.error_body(status, code, description or rules.SAID[code])
        return json.dumps(body)

    def check_credentials(self, header: str) -> None:
        kind, _, given = header.partition(" ")
        known = f"{self.account_sid}:{self.auth_token}"
        if kind != "Basic" or b64decode(given).decode() != known:
            raise ApiError(401, 20003)

    async def do_account(self, call: Call) -> dict[str, Any]:
        return {"sid": self.account_sid, "status": "active", "type": "Full"}

    async def do_content(self, call: Call) -> Any:
        method, sid = call.params["method"], call.params["path"]
        with self.lock:
            if method == "POST":
                return self.contents.create(call.params.get("document"), self.account_sid)
            if method == "DELETE":
                return self.contents.delete(sid)
            if sid == "Content":
                return {"contents": list(self.contents.known.values())}
            return self.contents.fetch(sid)

    async def do_approval(self, call: Call) -> dict[str, Any]:
        return self.contents.approval(call.params["path"])

    async def do_messages(self, call: Call) -> dict[str, Any]:
        rules.check_message(call.params, self.sender)
        message = self.read_message(call.params)
        guest = self.guests.get(message.to)
        if guest is not None and guest.stopped:
            raise ApiError(400, 21610)
        message.error = self.refusal(message, guest)
        if message.error == 63016 and not self.late_window:
            raise ApiError(400, 63016)
        if message.media_url and message.error is None:
            await self.fetch_media(message)
        self.remember(message, guest)
        if self.early:
            await self.tell(message)
        else:
            self.spawn(self.tell(message))
        return {"sid": message.sid, "status": "queued", "to": message.to, "error_code": None}

    def read_message(self, fields: dict[str, str]) -> Message:
        media = fields.get("MediaUrl", "")
        message = Message(
            sid=self.sid("MM" if media else "SM"),
            to=fields["To"],
            kind="media" if media else "text",
            text=fields.get("Body", ""),
            content_sid=fields.get("ContentSid", ""),
            variables=rules.read_variables(fields.get("ContentVariables", "")),
            media_url=media,
            callback=fields.get("StatusCallback", ""),
        )
        if message.content_sid:
            self.contents.show(message)
        return message

    def refusal(self, message: Message, guest: Guest | None) -> int | None:
        """Why it fails, though Twilio has taken it."""
        if self.fails_with:
            return self.fails_with.pop(0)
        if guest is None or not guest.exists:
            return 63003
        heard = guest.heard_at
        if heard is not None and self.clock() < heard + WINDOW:
            return None
        return None if self.contents.approved(message.content_sid) else 63016

    async def fetch_media(self, message: Message) -> None:
        try:
            async with self.http.get(message.media_url) as answer:
                message.media = await answer.read()
                if answer.status != 200 or not answer.content_type.startswith("image/"):
                    message.error = 63019
        except (aiohttp.ClientError, OSError):
            message.error = 63019

    def remember(self, message: Message, guest: Guest | None) -> None:
        with self.lock:
            self.revision += 1
            message.revision = self.revision
            if guest is not None:
                guest.everything.append(message)
        self.touch()

    # Callbacks

    async def tell(self, message: Message) -> None:
        """https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks"""
        story = self.story if message.error is None else ("queued", "failed")
        for status in story:
            await self.tell_status(message, status)

    async def tell_status(self, message: Message, status: str) -> None:
        message.status = status
        fields = {
            "MessageSid": message.sid,
            "SmsSid": message.sid,
            "MessageStatus": status,
            "SmsStatus": status,
            "AccountSid": self.account_sid,
            "From": self.sender,
            "To": message.to,
            "ApiVersion": "2010-04-01",
            "ChannelPrefix": "whatsapp",
        }
        if status in ("failed", "undelivered") and message.error:
            fields["ErrorCode"] = str(message.error)
        if message.callback:
            await self.push(self.actual(message.callback), message.callback, fields)

    def reads(self, message: Message) -> None:
        """The guest has opened it."""
        self.spawn(self.tell_status(message, "read"))

    def actual(self, address: str) -> str:
        """Where an address that was given to Twilio is answered."""
        return self.answers_at if address == self.signed_for else address

    async def push(self, url: str, signed_for: str, fields: dict[str, str]) -> None:
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
            "X-Twilio-Signature": self.signature(signed_for, fields),
            "I-Twilio-Idempotency-Token": self.sid(""),
        }
        await self.post(url, urlencode(fields).encode(), headers, 15.0)
