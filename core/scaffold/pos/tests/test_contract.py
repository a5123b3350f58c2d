"""Acme's side, as Malva's contract kit asks about it.

How its webhooks look, and how its API answers. Malva's docs/plugins.md says what each name is for.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import malva
import pytest

SECRET = "the-webhook-secret-of-acme"
TOKEN = "the-token-that-opens-nothing"
PLACE = "first-floor"


class Acme:
    name = "acme"
    signature = "x-acme-signature"
    calls = "*"
    secrets = (SECRET, TOKEN)
    lacks: ClassVar = {
        "fetch": "a webhook of Acme's tells everything",
        "coupons": "Acme has none: a reward is taken off by hand",
    }
    refusals: ClassVar = {
        "too_many": (429, {"error": "too many"}),
        "down": (503, {"error": "unavailable"}),
        "final": (404, {"error": "no such thing"}),
        "unauthorized": (401, {"error": "who are you"}),
    }

    def __init__(self, provider: Any) -> None:
        self.provider = provider
        self.events: list[Any] = []
        provider.answers = self.answer

    def table(self, cafe: str) -> str:
        return f"""
            module = "malva_acme"
            token = "{TOKEN}"
            webhook_secret = "{SECRET}"
            api_base = "{self.provider.url}"
            poll_seconds = 3600
            cafes.{cafe}.place = "{PLACE}"
        """

    # -- webhooks ------------------------------------------------------------------------------

    def order_id(self, number: int) -> str:
        return f"A-{number}"

    def paid(self, order_id: str, total: str) -> Any:
        lines = [{"name": "Cappuccino", "quantity": 1, "price": total}]
        return self.event("paid", order=order_id, total=total, currency="RSD", lines=lines)

    def refunded(self, order_id: str, refund_id: str, amount: str) -> Any:
        return self.event("refunded", order=order_id, refund=refund_id, amount=amount)

    def event(self, kind: str, **content: Any) -> Any:
        self.events.append({"type": kind, "place": PLACE, **content})
        return self.events[-1]

    def unknown(self, number: int) -> Any:
        return {"type": "telepathy", "place": PLACE, "order": f"A-{number}"}

    def broken(self, number: int) -> Any:
        return {"type": "paid", "place": PLACE, "order": f"A-{number}", "total": "a lot"}

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
        if call.name != "GET /events":
            return 404, {"error": "no such thing"}
        last = len(self.events)
        after = call.params["after"]
        return 200, {"events": [] if after == "now" else self.events[int(after) :], "last": last}


@pytest.mark.malva(vendor=Acme)
def test_the_contract(pos_contract: Callable[[], None]) -> None:
    pos_contract()
