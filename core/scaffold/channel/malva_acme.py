"""Acme, a messenger, for Malva.

Put the address of the vendor's documentation here. This Acme is made up:
signed webhooks that bring JSON events, an HTTP API that takes messages. What is
its own bears its name. The vendor's own takes its place, from the top down,
and the contract kit (tests/test_contract.py) says what is missing.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import malva
from malva import Finding, Inbound, Outbound, Receipt, Received, SendError, Sent
from pydantic import SecretStr

CONTRACT = 1

log = logging.getLogger(__name__)

TEXT, CAPTION, OPTIONS = 4000, 1000, 10
"""Acme's limits: characters of a message, and of a picture's caption; buttons."""
STATUSES: dict[str, malva.MessageStatus] = {
    "delivered": "delivered",
    "seen": "read",
    "failed": "failed",
}
"""What Acme calls what became of a message."""
LATER, MENDED = 5.0, 60.0
"""Seconds to wait after "too many", and where Acme doesn't know us."""


class Settings(malva.Settings):
    """What stands in plugins.toml; what is secret is a SecretStr."""

    token: SecretStr
    webhook_secret: SecretStr
    api_base: str = "https://api.acme.example"


@malva.hookimpl
def channel(settings: Settings, gateway: malva.Gateway) -> Acme:
    return Acme(settings, gateway)


class Acme:
    capabilities = malva.Capabilities(
        title="Acme",
        options=OPTIONS,
        text_length=TEXT,
        caption_length=CAPTION,
        pace=malva.Pace(30, 30),
        chat_pace=malva.Pace(1, 20),
    )

    def __init__(self, settings: Settings, gateway: malva.Gateway) -> None:
        self._http = gateway.http
        self._api = settings.api_base.rstrip("/")
        self._secret = settings.webhook_secret.get_secret_value().encode()
        self._headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}

    # -- receive -------------------------------------------------------------------------------

    def verify(self, request: malva.Request) -> None:
        """HMAC-SHA256 of the raw body, as hex in X-Acme-Signature."""
        right = hmac.new(self._secret, request.body, hashlib.sha256).hexdigest()
        given = request.headers.get("x-acme-signature", "")
        if not hmac.compare_digest(given.encode(), right.encode()):
            raise malva.Refused("the signature is not Acme's")

    def parse(self, request: malva.Request) -> Sequence[Received]:
        """One bad event never spoils the others of its webhook."""
        try:
            events = malva.parse_json(request.body)["events"]
        except (ValueError, TypeError, LookupError):
            raise malva.Unreadable("the body holds no events") from None
        found = []
        for event in events if isinstance(events, list) else []:
            try:
                received = understand(event)
            except Exception as error:  # whatever is wrong with it, the others count
                log.warning("acme: an event left out: %s", type(error).__name__)
                continue
            if received is not None:
                found.append(received)
        return found

    async def acknowledge(self, event: Received) -> None:
        """Acme wants nothing besides the 200."""

    async def run(self) -> None:
        """The webhook is registered in Acme's console; or here, at every start."""

    # -- render --------------------------------------------------------------------------------

    def render_inline(self, message: Outbound) -> tuple[bytes, str]:
        raise NotImplementedError("a webhook's response holds no reply")

    def join_link(self, payload: str) -> str | None:
        """An address that opens the chat and brings `payload` back in `Started`."""
        return None

    # -- send ----------------------------------------------------------------------------------

    async def send(self, delivery: malva.Delivery) -> Sent:
        first: str | None = None
        for document in documents(delivery.message):
            try:
                sent = await self._call("POST", "/messages", {"to": delivery.address, **document})
            except SendError as error:
                error.uncertain = error.uncertain or first is not None
                raise
            first = first or str(sent.get("id") or "") or None
        return Sent(first)

    async def _call(self, method: str, path: str, document: Any = None) -> dict[str, Any]:
        """The answer's JSON. Raises SendError and nothing else."""
        url = self._api + path
        try:
            answer = await self._http.request(method, url, headers=self._headers, json=document)
        except OSError as error:  # TimeoutError too
            uncertain = not isinstance(error, ConnectionRefusedError)
            raise SendError(type(error).__name__, retryable=True, uncertain=uncertain) from None
        if not 200 <= answer.status < 300:
            raise refusal(answer)
        try:
            told = answer.json()
        except ValueError:
            told = None
        return told if isinstance(told, dict) else {}

    async def check(self) -> Sequence[Finding]:
        try:
            me = await self._call("GET", "/me")
        except SendError as error:
            hint = "look at token and api_base in plugins.toml"
            return [Finding("MALVA-E901", "error", f"Acme refused: {error}", hint)]
        return [Finding("MALVA-I901", "ok", f"Acme knows us as {me.get('name')}")]


def understand(event: Mapping[str, Any]) -> Received | None:
    """What a guest did, or what became of a message; None for what is not for us."""
    kind = event["type"]
    if kind == "status":
        if event["status"] not in STATUSES:
            return None
        name = str(event["message"])
        status = STATUSES[event["status"]]
        return Receipt(event_id=str(event["id"]), provider_id=name, status=status)
    content: malva.Content
    match kind:
        case "text":
            content = malva.Said(_text(event["text"]))
        case "button":
            content = malva.Chose(_text(event["value"]))
        case "blocked":
            content = malva.Left()
        case "picture" | "sticker" | "voice":
            content = malva.Unsupported(kind)
        case _:
            return None
    sender = malva.Sender(_text(event["from"]), name=event.get("name"))
    return Inbound(event_id=str(event["id"]), sender=sender, content=content)


def _text(value: Any) -> str:
    """Text that can be stored: half surrogates become question marks."""
    if not isinstance(value, str):
        raise TypeError("no text")
    return value.encode(errors="replace").decode()


def documents(message: Outbound) -> list[dict[str, Any]]:
    """What shows it, in order: a text that is too long comes in parts, the buttons are the last
    one's. Links are written out."""
    links = [f"{link.label}: {link.url}" for link in message.links]
    text = "\n\n".join(filter(None, [message.text, *links]))
    first: list[dict[str, Any]] = []
    if message.picture is not None:
        caption = malva.split_text(text, CAPTION)[0]
        first = [{"text": caption, "picture": message.picture.url}]
        text = text[len(caption) :].strip()
    rest = [{"text": part} for part in malva.split_text(text, TEXT) if part]
    shown = [*first, *rest]
    if message.options:
        shown[-1]["buttons"] = [
            [{"value": option.value, "label": option.label} for option in row]
            for row in message.options
        ]
    return shown


def refusal(answer: malva.HttpResponse) -> SendError:
    """What Acme's error means: may the same call go through later, and when?"""
    name = f"Acme: HTTP {answer.status}"
    if answer.status == 429:
        told = answer.headers.get("retry-after", "")
        wait = float(told) if told.isascii() and told.isdigit() else LATER
        return SendError(name, retryable=True, retry_after=wait, channel_wide=True)
    if answer.status in (401, 403):  # nobody's message is at fault: all wait until it is mended
        return SendError(name, retryable=True, retry_after=MENDED, channel_wide=True)
    return SendError(name, retryable=answer.status >= 500, contact_gone=answer.status == 410)
