"""Viber: https://developers.viber.com/docs/api/rest-bot-api/

Reads in the order of every adapter here: settings and limits, receive, render, send.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote

import malva
from channels.viber.api import Api
from channels.viber.errors import Failure, send_error
from channels.viber.render import CAPTION, OPTIONS, TEXT, documents
from channels.viber.settings import Settings
from channels.viber.updates import understand
from malva import Finding, Outbound, Received, Sent

CONTRACT = 1

log = logging.getLogger(__name__)

SOON, LONGEST_PAUSE = 1.0, 60.0
"""Seconds after which a start that failed is tried again: at first, and at most."""
OWN_PHONE = "own phone"
"""What the words on a button that asks for a number are signed for."""


@malva.hookimpl
def channel(settings: Settings, gateway: malva.Gateway) -> Viber:
    return Viber(settings, gateway)


class Viber:
    # Viber states no pace but for broadcasts, 500 requests in 10 seconds
    capabilities = malva.Capabilities(
        title="Viber",
        options=OPTIONS,
        text_length=TEXT,
        caption_length=CAPTION,
        asks_phone=True,
        pace=malva.Pace(50, 50),
        chat_pace=malva.Pace(1, 20),
    )

    def __init__(self, settings: Settings, gateway: malva.Gateway) -> None:
        self._settings = settings
        self._gateway = gateway
        self._api = Api(settings, gateway.http)
        self._token = settings.token.get_secret_value().encode()
        self._site = f"{gateway.public_url}/"
        self._uri: str | None = None

    # -- receive -------------------------------------------------------------------------------

    def verify(self, request: malva.Request) -> None:
        """As Viber's library does, but in a time that tells nothing:
        https://developers.viber.com/docs/api/rest-bot-api/#callbacks"""
        given = request.headers.get("x-viber-content-signature", "")
        signature = hmac.new(self._token, request.body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(given.encode(), signature.encode()):
            raise malva.Refused("the signature is not Viber's")

    def parse(self, request: malva.Request) -> Sequence[Received]:
        try:
            document = malva.parse_json(request.body)
        except ValueError:
            document = None
        if not isinstance(document, dict):  # Viber repeats for an hour what it gets no 200 for
            raise malva.Unreadable("the body is no event", tolerate=True)
        event = understand(document, self._site, self._asked)
        return [] if event is None else [event]

    def _asked(self, signed: str) -> str | None:
        return self._gateway.unsign(OWN_PHONE, signed)

    async def acknowledge(self, event: Received) -> None:
        """Viber wants nothing besides the 200."""

    async def run(self) -> None:
        """Here and not in a request: Viber calls the webhook while set_webhook is still open."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._until_done(self._introduce))
            tasks.create_task(self._until_done(self._register))

    async def _introduce(self) -> None:
        uri = (await self._api.account()).get("uri")
        self._uri = uri if isinstance(uri, str) and uri else None

    async def _register(self) -> None:
        if not self._gateway.public_url.startswith("https://"):
            log.warning("viber: it delivers to https only, and MALVA_PUBLIC_URL is plain http")
        await self._api.set_webhook(f"{self._site}channels/{self._gateway.name}/webhook")

    # -- render --------------------------------------------------------------------------------

    def render_inline(self, message: Outbound) -> tuple[bytes, str]:
        """One message, to whom isn't known here, so a number can't be asked for by a button."""
        shown = documents(message, self._site, share=None)
        document = {**shown[-1], **shown[0], **self._sender()}
        return json.dumps(document).encode(), "application/json"

    def join_link(self, payload: str) -> str | None:
        if self._uri is None:
            return None
        context = quote(payload, safe="")
        return f"viber://pa?chatURI={quote(self._uri, safe='')}&context={context}"

    # -- send ----------------------------------------------------------------------------------

    async def send(self, delivery: malva.Delivery) -> Sent:
        asks = delivery.message.ask_phone
        share = self._gateway.sign(OWN_PHONE, delivery.address) if asks else None
        first: str | None = None
        for number, document in enumerate(documents(delivery.message, self._site, share)):
            to = {"receiver": delivery.address, **self._sender()}
            try:
                token = await self._api.send_message({**to, **document})
            except (Failure, OSError) as error:
                refused = send_error(error)
                refused.uncertain = refused.uncertain or number > 0
                raise refused from None
            first = first or token
        return Sent(first)

    def _sender(self) -> dict[str, Any]:
        return {"sender": {"name": self._settings.sender_name}}

    async def check(self) -> Sequence[Finding]:
        try:
            await self._introduce()
        except (Failure, OSError) as error:
            if isinstance(error, Failure) and error.ours:
                hint = "copy the token from the bot's settings in the Viber app into plugins.toml"
                return [Finding("MALVA-E241", "error", f"Viber refuses the bot: {error}", hint)]
            what = f"Viber does not answer: {send_error(error)}"
            return [Finding("MALVA-E242", "error", what, "look at the network and at api_base")]
        found = [Finding("MALVA-I241", "ok", f"Viber knows the bot as {self._uri}")]
        if not self._gateway.public_url.startswith("https://"):
            what = "Viber delivers to https only, and MALVA_PUBLIC_URL is plain http"
            found.append(Finding("MALVA-W243", "warning", what, "set it to an https address"))
        return found

    async def _until_done(self, step: Callable[[], Awaitable[None]]) -> None:
        delay = SOON
        while True:
            try:
                return await step()
            except (Failure, OSError) as error:
                refused = send_error(error)
                wait = min(refused.retry_after or delay, LONGEST_PAUSE)
                log.warning("viber: %s: %s; again in %.0f s", step.__name__, refused, wait)
                await asyncio.sleep(wait)
                delay = min(delay * 2, LONGEST_PAUSE)
