"""Who looks at a page of ours inside Telegram, by the init data that a Mini App is opened with.

https://core.telegram.org/bots/webapps#validating-data-received-via-the-mini-app
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from aiogram.utils.web_app import check_webapp_signature

import malva
from channels.telegram.session import loads

GOOD_FOR = timedelta(hours=1)
"""Telegram names no age. Whoever copies init data from a page has so long to use it."""
AHEAD = timedelta(minutes=1)
"""By so much Telegram's clock may be before ours."""


def viewer(token: str, data: str, now: datetime) -> malva.Sender | None:
    """Signed with the bot's `token` (HMAC-SHA256) and not older than GOOD_FOR; None for all else.
    In a private chat a user's id is the chat's."""
    try:
        if not check_webapp_signature(token, data):
            return None
        fields = dict(parse_qsl(data))
        opened_at = datetime.fromtimestamp(int(fields["auth_date"]), UTC)
        user = loads(fields["user"])
        address = str(int(user["id"]))
    except (ValueError, TypeError, LookupError, OverflowError, OSError):
        return None
    if not -AHEAD <= now - opened_at <= GOOD_FOR:
        return None
    return malva.Sender(address, _text(user.get("first_name")), _text(user.get("language_code")))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
