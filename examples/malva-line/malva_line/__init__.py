"""LINE, by its Messaging API: https://developers.line.biz/en/reference/messaging-api/

Reads in the order of every adapter of Malva's: settings and limits, receive, render, send.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import uuid
from collections.abc import Sequence
from urllib.parse import quote

import malva
from malva import Finding, Inbound, Outbound, SendError, Sent
from pydantic import SecretStr

from malva_line.api import MENDED, Api
from malva_line.render import QUICK_REPLIES, TEXT, messages
from malva_line.updates import understand

CONTRACT = 1

log = logging.getLogger(__name__)

TOGETHER = 5
"""Messages in one call."""


class Settings(malva.Settings):
    """Both from the LINE Developers Console; `api_base` for a proxy or a test."""

    channel_secret: SecretStr
    channel_access_token: SecretStr
    api_base: str = "https://api.line.me"


@malva.hookimpl
def channel(settings: Settings, gateway: malva.Gateway) -> Line:
    return Line(settings, gateway)


class Line:
    # https://developers.line.biz/en/reference/messaging-api/#rate-limits
    capabilities = malva.Capabilities(
        title="LINE",
        options=QUICK_REPLIES,
        numbers=True,
        text_length=TEXT,
        caption_length=TEXT,
        pace=malva.Pace(1000, 1000),
        chat_pace=malva.Pace(1, 20),
    )

    def __init__(self, settings: Settings, gateway: malva.Gateway) -> None:
        self._gateway = gateway
        self._secret = settings.channel_secret.get_secret_value().encode()
        token = settings.channel_access_token.get_secret_value()
        self._api = Api(settings.api_base, token, gateway.http)
        self._basic_id: str | None = None

    # -- receive -------------------------------------------------------------------------------

    def verify(self, request: malva.Request) -> None:
        """https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/"""
        digest = hmac.new(self._secret, request.body, hashlib.sha256).digest()
        given = request.headers.get("x-line-signature", "")
        if not hmac.compare_digest(given.encode(), base64.b64encode(digest)):
            raise malva.Refused("the signature is not LINE's")

    def parse(self, request: malva.Request) -> Sequence[Inbound]:
        try:
            events = malva.parse_json(request.body)["events"]
        except (ValueError, TypeError, KeyError):
            raise malva.Unreadable("the body holds no events") from None
        if not isinstance(events, list):
            raise malva.Unreadable("the events are no list")
        found = []
        for event in events:
            try:
                inbound = understand(event)
            except Exception as error:  # whatever is wrong with it, the others count
                log.warning("line: an event left out: %s", type(error).__name__)
                continue
            if inbound is not None:
                found.append(inbound)
        return found

    async def acknowledge(self, event: malva.Received) -> None:
        """LINE wants nothing besides the 200."""

    async def run(self) -> None:
        """Asks for the bot's own name, of which join links are made. The webhook's address is set
        in the console."""
        while self._basic_id is None:
            try:
                self._basic_id = await self._api.basic_id()
            except (SendError, OSError) as error:
                log.warning("line: no join links yet: %s", type(error).__name__)
                await asyncio.sleep(MENDED)

    # -- render --------------------------------------------------------------------------------

    def render_inline(self, message: Outbound) -> tuple[bytes, str]:
        raise NotImplementedError("LINE has no inline replies")

    def join_link(self, payload: str) -> str | None:
        """Opens the chat with a text filled in, which `understand` takes for a start:
        https://developers.line.biz/en/docs/messaging-api/using-line-url-scheme/"""
        if not self._basic_id:
            return None
        text = quote(f"start {payload}".strip())
        return f"https://line.me/R/oaMessage/{quote(self._basic_id)}/?{text}"

    # -- send ----------------------------------------------------------------------------------

    async def send(self, delivery: malva.Delivery) -> Sent:
        shown = messages(delivery.message)
        first: str | None = None
        for at in range(0, len(shown), TOGETHER):
            key = self._retry_key(delivery, at)
            try:
                sent = await self._api.push(delivery.address, shown[at : at + TOGETHER], key)
            except OSError as error:  # TimeoutError too
                raise SendError(type(error).__name__, retryable=True) from None
            first = first or sent
        return Sent(first)

    def _retry_key(self, delivery: malva.Delivery, part: int) -> str:
        """The same over retries, and nobody else's."""
        ours = f"{self._gateway.public_url} {self._gateway.name}"
        name = f"{ours} {delivery.id} {delivery.address} {part}"
        return str(uuid.uuid5(uuid.NAMESPACE_URL, name))

    async def check(self) -> Sequence[Finding]:
        try:
            name = await self._api.basic_id()
        except SendError as error:
            hint = "issue a channel access token in the LINE Developers Console"
            return [Finding("MALVA-E901", "error", f"LINE does not know us: {error}", hint)]
        except OSError as error:
            what = f"LINE does not answer: {type(error).__name__}"
            return [Finding("MALVA-E902", "error", what, "look at the network and at api_base")]
        return [Finding("MALVA-I901", "ok", f"LINE knows the bot as {name}")]
