"""Who writes: a visitor's address in a signed cookie, their browser's language, their pace."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict

from starlette.requests import Request
from starlette.responses import Response

import malva

COOKIE = "malva_chat"
COOKIE_DAYS = 400  # as long as browsers keep one
PURPOSE = "webchat"
LANGUAGES = {"en": "en", "sr": "sr-Latn", "ru": "ru"}
"""Ours, each as a page declares it."""
_NEAREST = {"hr": "sr", "bs": "sr", "sh": "sr", "uk": "ru", "be": "ru"}


class Visitors:
    """Addresses are random and long: whoever has one has the conversation."""

    def __init__(self, gateway: malva.Gateway, *, embedded: bool) -> None:
        self._gateway = gateway
        self._secure = gateway.public_url.startswith("https://")
        self._embedded = embedded

    def known(self, request: Request) -> str | None:
        """The address that the cookie brings."""
        return self._gateway.unsign(PURPOSE, request.cookies.get(COOKIE, ""))

    def new(self) -> str:
        return secrets.token_urlsafe(16)

    def remember(self, response: Response, address: str) -> None:
        """`Partitioned` lets the cookie into a frame on another site, for that site alone:
        https://developer.mozilla.org/docs/Web/Privacy/Guides/Third-party_cookies/Partitioned_cookies
        """
        parts = [
            f"{COOKIE}={self._gateway.sign(PURPOSE, address)}",
            "Path=/chat",
            f"Max-Age={COOKIE_DAYS * 86400}",
            "HttpOnly",
        ]
        if self._secure and self._embedded:
            parts += ["Secure", "SameSite=None", "Partitioned"]
        else:
            parts += ["Secure", "SameSite=Lax"] if self._secure else ["SameSite=Lax"]
        response.headers.append("Set-Cookie", "; ".join(parts))


def language(request: Request) -> str:
    """The first of ours that the link or else the browser asks for."""
    asked = request.query_params.get("lang") or request.headers.get("accept-language", "")
    for part in asked.split(","):
        tag = part.split(";")[0].split("-")[0].strip().lower()
        nearest = _NEAREST.get(tag, tag)
        if nearest in LANGUAGES:
            return nearest
    return "en"


REMEMBERED = 20_000
"""Buckets kept; the one that was not used for longest is forgotten, which fills it."""
SECONDS_AT_ONCE = 6
"""A full bucket holds what is allowed in so many seconds."""


class Paces:
    """A token bucket each, in this process's memory."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._most = max(per_second * SECONDS_AT_ONCE, 1)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, who: str) -> float:
        """0 and one token less; or the seconds until there is one."""
        now = time.monotonic()
        left, since = self._buckets.pop(who, (self._most, now))
        left = min(left + (now - since) * self._per_second, self._most)
        taken = left >= 1
        self._buckets[who] = (left - 1 if taken else left, now)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return 0 if taken else (1 - left) / self._per_second
