"""Viber's REST API over Malva's one HTTP client: https://developers.viber.com/docs/api/rest-bot-api/

The client of Viber's own library has no time-out, waits on the event loop, and logs the token where
a call fails: of that library the messages are used, and nothing is sent by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import malva
from channels.viber.errors import Failure
from channels.viber.settings import Settings

EVENTS = ["delivered", "seen", "failed", "subscribed", "unsubscribed", "conversation_started"]
"""What is asked for; messages come anyway."""
PATIENCE = 30.0
"""Seconds for set_webhook: Viber answers it after a call of its own to the webhook."""


class Api:
    """Raises Failure for an answer that is an error, and OSError (TimeoutError too) where there is
    none: ConnectionRefusedError if the call can't have been carried out."""

    def __init__(self, settings: Settings, http: malva.Http) -> None:
        self._http = http
        self._base = settings.api_base.rstrip("/")
        self._headers = {"X-Viber-Auth-Token": settings.token.get_secret_value()}

    async def send_message(self, document: Mapping[str, Any]) -> str | None:
        """The message's token: 19 digits, more than a float holds, so a text."""
        token = (await self._call("send_message", document)).get("message_token")
        return None if token is None else str(token)

    async def account(self) -> dict[str, Any]:
        """`name`, `uri`, `webhook` and more of the bot."""
        return await self._call("get_account_info", {})

    async def set_webhook(self, url: str) -> None:
        """Names are not told unless they are asked for; photos are nothing to us."""
        asked = {"url": url, "event_types": EVENTS, "send_name": True, "send_photo": False}
        await self._call("set_webhook", asked, PATIENCE)

    async def _call(
        self, method: str, document: Mapping[str, Any], timeout: float = 10.0
    ) -> dict[str, Any]:
        answer = await self._http.request(
            "POST", f"{self._base}/{method}", headers=self._headers, json=document, timeout=timeout
        )
        told = _document(answer)
        status = told.get("status")
        if status != 0 or not 200 <= answer.status < 300:
            wait = _seconds(answer.headers.get("retry-after"))
            raise Failure(answer.status, status if isinstance(status, int) else None, wait)
        return told


def _document(answer: malva.HttpResponse) -> dict[str, Any]:
    """The answer's JSON; nothing where it is a proxy's page."""
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _seconds(text: str | None) -> float | None:
    """Retry-After in seconds; None where it is a date or nothing."""
    return float(text) if text and text.isascii() and text.isdigit() else None
