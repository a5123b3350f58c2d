"""WhatsApp, by Twilio: https://www.twilio.com/docs/whatsapp

Reads in the order of every adapter here: settings and limits, receive, render, send.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from urllib.parse import parse_qsl, quote

from twilio.request_validator import RequestValidator

import malva
from channels.whatsapp.errors import CLOSED, UNKNOWN, WRONG_CONTENT, Failure, send_error
from channels.whatsapp.render import (
    CAPTION,
    CHOOSE,
    LIST_ITEMS,
    TEXT,
    Content,
    Part,
    content,
    numbered,
    parts,
    template_variables,
)
from channels.whatsapp.settings import Settings
from channels.whatsapp.twilio import Twilio
from channels.whatsapp.updates import CHANNEL, understand
from malva import Finding, Outbound, Received, SendError, Sent

CONTRACT = 1

log = logging.getLogger(__name__)

MOST_FIELDS = 1000
NOT_ASKED = 60.0
"""Seconds for which the Content API is left alone after it failed: lists are numbered meanwhile."""


@malva.hookimpl
def channel(settings: Settings, gateway: malva.Gateway) -> WhatsApp:
    return WhatsApp(settings, gateway)


class WhatsApp:
    # https://www.twilio.com/docs/whatsapp/api#rate-limits, and what WhatsApp takes to one guest
    capabilities = malva.Capabilities(
        title="WhatsApp",
        options=LIST_ITEMS,
        numbers=True,
        text_length=TEXT,
        caption_length=CAPTION,
        proves_phone=True,
        window=timedelta(hours=24),
        pace=malva.Pace(80, 80),
        chat_pace=malva.Pace(1 / 6, 45),
    )

    def __init__(self, settings: Settings, gateway: malva.Gateway) -> None:
        self._settings = settings
        self._gateway = gateway
        self._validator = RequestValidator(settings.auth_token.get_secret_value())
        self._twilio = Twilio(settings, gateway.http)
        self._webhook = f"{gateway.public_url}/channels/{gateway.name}/webhook"
        self._contents: dict[str, str] = {}
        self._making = asyncio.Lock()
        self._ask_again_at = 0.0

    # -- receive -------------------------------------------------------------------------------

    def verify(self, request: malva.Request) -> None:
        """https://www.twilio.com/docs/usage/webhooks/webhooks-security"""
        signature = request.headers.get("x-twilio-signature")
        if not signature:
            raise malva.Refused("no signature")
        if not self._validator.validate(request.url, _form(request.body), signature):
            raise malva.Refused("the signature is not Twilio's")

    def parse(self, request: malva.Request) -> Sequence[Received]:
        event = understand(_form(request.body))
        return [] if event is None else [event]

    async def acknowledge(self, event: Received) -> None:
        """Twilio wants nothing besides the 200."""

    async def run(self) -> None:
        """The sender's webhook is set in Twilio's console."""

    # -- render --------------------------------------------------------------------------------

    def render_inline(self, message: Outbound) -> tuple[bytes, str]:
        raise NotImplementedError("Malva answers WhatsApp by the API")

    def join_link(self, payload: str) -> str | None:
        number = self._settings.sender.removeprefix(f"{CHANNEL}+")
        return f"https://wa.me/{number}?text={quote(f'start {payload}'.strip())}"

    # -- send ----------------------------------------------------------------------------------

    async def send(self, delivery: malva.Delivery) -> Sent:
        if not delivery.window_open:
            return await self._send_template(delivery)
        sids: list[str] = []
        try:
            for part in parts(delivery.message):
                await self._send_part(delivery, part, sids)
        except (Failure, OSError) as error:
            if isinstance(error, Failure) and error.code == CLOSED and not sids:
                return await self._send_template(delivery)
            refused = send_error(error)
            refused.uncertain = refused.uncertain or bool(sids)
            raise refused from None
        return Sent(sids[0])

    async def _send_template(self, delivery: malva.Delivery) -> Sent:
        """Outside the window: the approved template of this kind and language, or nothing."""
        template = self._settings.template(delivery.message)
        if template is None:
            raise SendError("no template for this outside the 24 hours", window_closed=True)
        variables = template_variables(delivery.message)
        try:
            return Sent(await self._post(delivery, _by_content(template, variables)))
        except (Failure, OSError) as error:
            raise send_error(error) from None

    async def _send_part(self, delivery: malva.Delivery, part: Part, sids: list[str]) -> None:
        """With buttons where there are any and they fit, else with a numbered list."""
        choose = self._gateway.translate(delivery.message.language, CHOOSE)
        buttons = content(part, delivery.message.language, choose)
        content_sid = await self._content_sid(buttons) if buttons else None
        shown = [_free(one) for one in numbered(part)]
        if buttons and content_sid:
            try:
                sids.append(await self._post(delivery, _by_content(content_sid, buttons.variables)))
                shown = []
            except Failure as error:
                if error.code not in WRONG_CONTENT:
                    raise
                log.warning("whatsapp: %s: a list is numbered instead", error)
                await self._remember(buttons, "")
        for fields in shown:
            sid = await self._post(delivery, fields)
            sids.append(sid)

    async def _post(self, delivery: malva.Delivery, fields: Mapping[str, str]) -> str:
        common = {"To": delivery.address, "From": self._settings.sender}
        return await self._twilio.send({**common, "StatusCallback": self._webhook, **fields})

    async def _content_sid(self, buttons: Content) -> str | None:
        """How Twilio calls these buttons, which it is told once; None: the list is numbered."""
        if sid := self._contents.get(buttons.key):
            return sid
        async with self._making:
            sid = self._contents.get(buttons.key) or await self._gateway.load(self._key(buttons))
            now = self._gateway.now().timestamp()
            if not sid and now >= self._ask_again_at:
                try:
                    sid = await self._twilio.create_content(buttons.document)
                except (Failure, OSError) as error:
                    log.warning("whatsapp: no buttons for a while: %s", error)
                    self._ask_again_at = now + NOT_ASKED
                else:
                    await self._remember(buttons, sid)
            return sid or None

    async def _remember(self, buttons: Content, sid: str) -> None:
        self._contents[buttons.key] = sid
        await self._gateway.save(self._key(buttons), sid)

    def _key(self, buttons: Content) -> str:
        """Another account doesn't know what this one was told."""
        return f"{self._settings.account_sid}:{buttons.key}"

    async def check(self) -> Sequence[Finding]:
        try:
            status = await self._twilio.account_status()
        except (Failure, OSError) as error:
            if isinstance(error, Failure) and error.status in UNKNOWN:
                hint = "copy account_sid and auth_token from the top of Twilio's console"
                what = "Twilio does not know this account"
                return [Finding("MALVA-E221", "error", what, hint)]
            why = error if isinstance(error, Failure) else type(error).__name__
            what = f"Twilio does not answer: {why}"
            return [Finding("MALVA-E222", "error", what, "look at the network and at api_base")]
        if status != "active":
            what = f"the account at Twilio is {status}"
            return [Finding("MALVA-E223", "error", what, "look into Twilio's console")]
        return [Finding("MALVA-I221", "ok", "Twilio knows the account"), *await self._unapproved()]

    async def _unapproved(self) -> list[Finding]:
        found = []
        for kind, by_language in self._settings.templates.items():
            for language, sid in by_language.items():
                try:
                    status = await self._twilio.approval(sid)
                except (Failure, OSError) as error:
                    status = f"not found ({error})"
                if status != "approved":
                    what = f"the template {kind}.{language} is {status}"
                    hint = "guests who haven't written for a day don't get it before it is approved"
                    found.append(Finding("MALVA-W224", "warning", what, hint))
        return found


def _form(body: bytes) -> dict[str, str]:
    """The fields of a webhook; none of what is no form."""
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        return {}


def _by_content(sid: str, variables: Mapping[str, str]) -> dict[str, str]:
    fields = {"ContentSid": sid}
    if variables:
        fields["ContentVariables"] = json.dumps(variables, ensure_ascii=False)
    return fields


def _free(part: Part) -> dict[str, str]:
    fields = {"Body": part.text} if part.text else {}
    return {**fields, "MediaUrl": part.media} if part.media else fields
