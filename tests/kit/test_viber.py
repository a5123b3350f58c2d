"""Viber on the contract kit, beside a simulated Viber:
https://developers.viber.com/docs/api/rest-bot-api/"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest

from core.contract import Link, Option, Outbound, Picture, Request
from tests.simulators import viber_rules as rules
from tests.simulators.viber import ViberSimulator
from tests.simulators.viber_guests import Message

PRESSED = "malva:"
EVENTS = {"delivered": "delivered", "read": "seen", "failed": "failed"}


def status(code: int) -> tuple[int, Any]:
    """https://developers.viber.com/docs/api/rest-bot-api/#error-codes"""
    return 200, rules.ApiError(code).body()


class Viber:
    name = "viber"
    simulator = ViberSimulator
    signature = "x-viber-content-signature"
    calls = "send_message"
    statuses = ("delivered", "read", "failed")
    secrets = (ViberSimulator.token,)
    lacks: ClassVar = {
        "batches": "Viber tells one event in each webhook",
        "edits": "what was sent on Viber stays",
        "retry_after": "status 12 says nothing of the time",
    }
    refusals: ClassVar = {
        "too_many": status(12),
        "down": status(99),
        "final": status(3),
        "gone": status(6),
        "unauthorized": status(2),
    }

    def __init__(self, viber: ViberSimulator) -> None:
        self.viber = viber
        viber.story = ()  # what is told of a message, the kit tells
        viber.webhook = "http://127.0.0.1:9/channels/viber/webhook"  # until Malva has set its own

    def table(self) -> str:
        return f"""
            module = "channels.viber"
            token = "{self.viber.token}"
            sender_name = "BIFE"
            api_base = "{self.viber.url}"
        """

    def guest(self, number: int) -> str:
        return self.viber.guest("Ana", language="en", subscribed=True).id

    def says(self, guest: str, text: str, number: int) -> Any:
        sender, message = self.viber.guests[guest].as_json(), {"type": "text", "text": text}
        return self.event("message", number, sender=sender, message=message)

    def presses(self, guest: str, option: Option, number: int) -> Any:
        return self.says(guest, PRESSED + option.value, number)

    def event(self, event: str, number: int, **fields: Any) -> dict[str, Any]:
        return {**self.viber.event(event), "message_token": 10**18 + number, **fields}

    def receipt(self, provider_id: str, status: str, number: int) -> Any:
        token = int(provider_id, 16) if len(provider_id) == 32 else int(provider_id)
        why = {"desc": "the phone is off"} if status == "failed" else {}
        told = self.viber.event(EVENTS[status], user_id="01234567890A=", **why)
        return {**told, "message_token": token}

    def unknown(self, number: int) -> Any:
        return self.event("telepathy", number, user_id="01234567890A=")

    def broken(self, number: int) -> Any:
        return self.event("message", number, sender="Ana", message=["hi"])

    def webhook(self, url: str, events: Sequence[Any]) -> Request:
        (event,) = events
        return self.signed(url, json.dumps(event).encode())

    def signed(self, url: str, body: bytes) -> Request:
        headers = {
            "content-type": "application/json",
            self.signature: self.viber.signature(body),
        }
        return Request("POST", url, headers, {}, body)

    def seen(self, guest: str) -> Sequence[Outbound]:
        return [as_outbound(message) for message in self.viber.guests[guest].messages]


def as_outbound(message: Message) -> Outbound:
    buttons = list(message.keyboard.get("Buttons", []))
    asking = [rules.shown(b["Text"]) for b in buttons if b["ActionType"] == "share-phone"]
    return Outbound(
        text=message.text,
        options=tuple(
            (Option(b["ActionBody"].removeprefix(PRESSED), rules.shown(b["Text"])),)
            for b in buttons
            if b["ActionType"] == "reply"
        ),
        links=tuple(
            Link(rules.shown(b["Text"]), b["ActionBody"])
            for b in buttons
            if b["ActionType"] == "open-url"
        ),
        ask_phone=asking[0] if asking else None,
        picture=Picture(message.picture, "", message.media) if message.picture else None,
    )


@pytest.mark.malva(vendor=Viber)
def test_the_contract(channel_contract: Callable[[], None]) -> None:
    channel_contract()
