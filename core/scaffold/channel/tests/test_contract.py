"""Acme's side, as Malva's contract kit asks about it.

How its webhooks look, how its API answers, what a guest sees. Malva's docs/plugins.md says what
each name is for.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import malva
import pytest

SECRET = "the-webhook-secret-of-acme"
TOKEN = "the-token-that-opens-nothing"
WORDS = {"delivered": "delivered", "read": "seen", "failed": "failed"}


class Acme:
    name = "acme"
    signature = "x-acme-signature"
    calls = "POST /messages"
    statuses = ("delivered", "read", "failed")
    secrets = (SECRET, TOKEN)
    lacks: ClassVar = {
        "edits": "what was sent on Acme stays",
        "asks_phone": "Acme has no button that shares a number",
    }
    refusals: ClassVar = {
        "too_many": (429, {"error": "too many"}, {"Retry-After": "7"}),
        "down": (503, {"error": "unavailable"}),
        "final": (400, {"error": "not a message"}),
        "gone": (410, {"error": "this user has left"}),
        "unauthorized": (401, {"error": "who are you"}),
    }

    def __init__(self, provider: Any) -> None:
        self.provider = provider
        self.chats: dict[str, list[malva.Outbound]] = defaultdict(list)
        provider.answers = self.answer

    def table(self) -> str:
        return f"""
            module = "malva_acme"
            token = "{TOKEN}"
            webhook_secret = "{SECRET}"
            api_base = "{self.provider.url}"
        """

    # -- webhooks ------------------------------------------------------------------------------

    def guest(self, number: int) -> str:
        return f"guest-{number}"

    def says(self, guest: str, text: str, number: int) -> Any:
        return {"id": number, "type": "text", "from": guest, "name": "Ana", "text": text}

    def presses(self, guest: str, option: malva.Option, number: int) -> Any:
        return {"id": number, "type": "button", "from": guest, "value": option.value}

    def receipt(self, provider_id: str, status: str, number: int) -> Any:
        return {"id": number, "type": "status", "message": provider_id, "status": WORDS[status]}

    def unknown(self, number: int) -> Any:
        return {"id": number, "type": "telepathy", "from": "somebody"}

    def broken(self, number: int) -> Any:
        return {"id": number, "type": "text", "from": None}

    def webhook(self, url: str, events: Sequence[Any]) -> malva.Request:
        return self.signed(url, json.dumps({"events": list(events)}).encode())

    def signed(self, url: str, body: bytes) -> malva.Request:
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json", self.signature: signature}
        return malva.Request("POST", url, headers, {}, body)

    # -- the API -------------------------------------------------------------------------------

    def answer(self, call: Any) -> tuple[int, Any]:
        """Carries a call out: its status, and its body as JSON."""
        if call.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"error": "who are you"}
        if call.name == "GET /me":
            return 200, {"name": "BIFE"}
        if call.name != self.calls or not fits(call.params):
            return 400, {"error": "not a message"}
        chat = self.chats[call.params["to"]]
        chat.append(as_outbound(call.params))
        return 201, {"id": f"{call.params['to']}:{len(chat)}"}

    def seen(self, guest: str) -> Sequence[malva.Outbound]:
        return list(self.chats[guest])


def fits(message: dict[str, Any]) -> bool:
    """Whether Acme would take it: its limits, as its documentation tells them."""
    longest = 1000 if "picture" in message else 4000
    return 0 < len(message["text"]) <= longest and len(message.get("buttons", [])) <= 10


def as_outbound(message: dict[str, Any]) -> malva.Outbound:
    """What a guest sees of it."""
    return malva.Outbound(
        text=message["text"],
        options=tuple(
            tuple(malva.Option(button["value"], button["label"]) for button in row)
            for row in message.get("buttons", [])
        ),
        picture=malva.Picture(b"", "", message["picture"]) if "picture" in message else None,
    )


@pytest.mark.malva(vendor=Acme)
def test_the_contract(channel_contract: Callable[[], None]) -> None:
    channel_contract()
