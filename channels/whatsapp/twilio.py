"""Twilio's two APIs over Malva's one HTTP client, which tells nobody the token.

The client of Twilio's own library ignores its time-out and form-encodes JSON: of that library the
signatures are used, where there is nothing to choose.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import malva
from channels.whatsapp.errors import Failure
from channels.whatsapp.settings import Settings


class Twilio:
    """Raises Failure for an answer that is an error, and OSError (TimeoutError too) where there is
    none: ConnectionRefusedError if the call can't have been carried out."""

    def __init__(self, settings: Settings, http: malva.Http) -> None:
        self._http = http
        account = f"/2010-04-01/Accounts/{settings.account_sid}"
        self._account = settings.api_base.rstrip("/") + account
        self._content = settings.content_base.rstrip("/") + "/v1/Content"
        credentials = f"{settings.account_sid}:{settings.auth_token.get_secret_value()}"
        self._headers = {
            "Authorization": "Basic " + base64.b64encode(credentials.encode()).decode(),
            "Accept": "application/json",
        }

    async def send(self, fields: Mapping[str, str]) -> str:
        """https://www.twilio.com/docs/messaging/api/message-resource; the message's SID."""
        return _sid(await self._call("POST", f"{self._account}/Messages.json", data=fields))

    async def create_content(self, document: Mapping[str, Any]) -> str:
        """https://www.twilio.com/docs/content/content-api-resources; the content's SID."""
        return _sid(await self._call("POST", self._content, json=document))

    async def approval(self, content: str) -> str:
        """What WhatsApp says of a template: `approved`, `pending`, `rejected` …"""
        answer = await self._call("GET", f"{self._content}/{content}/ApprovalRequests")
        found = answer.get("whatsapp")
        return str(found.get("status")) if isinstance(found, dict) else "unsubmitted"

    async def account_status(self) -> str:
        """`active`, `suspended` or `closed`."""
        return str((await self._call("GET", f"{self._account}.json")).get("status"))

    async def _call(self, method: str, url: str, **body: Any) -> dict[str, Any]:
        answer = await self._http.request(method, url, headers=self._headers, **body)
        document = _document(answer)
        if not 200 <= answer.status < 300:
            code = document.get("code")
            wait = _seconds(answer.headers.get("retry-after"))
            raise Failure(answer.status, code if isinstance(code, int) else None, wait)
        return document


def _document(answer: malva.HttpResponse) -> dict[str, Any]:
    """The answer's JSON; nothing where it is a proxy's page."""
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _sid(document: Mapping[str, Any]) -> str:
    sid = document.get("sid")
    if not isinstance(sid, str) or not sid:
        raise Failure(200)
    return sid


def _seconds(text: str | None) -> float | None:
    """Retry-After in seconds; None where it is a date or nothing."""
    return float(text) if text and text.isascii() and text.isdigit() else None
