"""LINE's API over Malva's one HTTP client, which tells nobody the token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import malva
from malva import SendError

LATER, MENDED = 5.0, 60.0
"""Seconds to wait after a 429, which says nothing of the time; and where LINE doesn't know us."""


class Api:
    """Raises SendError for an answer that is an error, OSError (TimeoutError too) for none."""

    def __init__(self, base: str, token: str, http: malva.Http) -> None:
        self._base = f"{base.rstrip('/')}/v2/bot"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._http = http

    async def basic_id(self) -> str:
        """What the bot is called in links (`@216rgbzz`):
        https://developers.line.biz/en/reference/messaging-api/#get-bot-info"""
        answer = await self._http.request("GET", f"{self._base}/info", headers=self._headers)
        if answer.status != 200:
            raise refusal(answer)
        return str(_document(answer).get("basicId") or "")

    async def push(self, to: str, messages: Sequence[Any], key: str) -> str | None:
        """The first message's id. A key that stays the same lets LINE take a repeated call once:
        https://developers.line.biz/en/docs/messaging-api/retrying-api-request/"""
        answer = await self._http.request(
            "POST",
            f"{self._base}/message/push",
            headers={**self._headers, "X-Line-Retry-Key": key},
            json={"to": to, "messages": messages},
        )
        if answer.status not in (200, 409):  # 409: this key was taken before
            raise refusal(answer)
        match _document(answer):
            case {"sentMessages": [{"id": str(first)}, *_]}:
                return first
        return None


def refusal(answer: malva.HttpResponse) -> SendError:
    """https://developers.line.biz/en/reference/messaging-api/#error-responses; 400 `Failed to send
    messages` is what LINE says of somebody who isn't there."""
    name = f"LINE: HTTP {answer.status}"
    if answer.status == 429:
        return SendError(name, retryable=True, retry_after=LATER, channel_wide=True)
    if answer.status in (401, 403):
        return SendError(name, retryable=True, retry_after=MENDED, channel_wide=True)
    gone = answer.status == 400 and _document(answer).get("message") == "Failed to send messages"
    return SendError(name, retryable=answer.status >= 500, contact_gone=gone)


def _document(answer: malva.HttpResponse) -> dict[str, Any]:
    """The answer's JSON; nothing where it is a proxy's page."""
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
