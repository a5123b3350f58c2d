"""Telegram on the contract kit, beside the simulated Bot API: https://core.telegram.org/bots/api"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest
from aiogram import Bot  # whole, before the adapter imports it lean: the simulator asks for more

from core.contract import Link, Option, Outbound, Picture, Request
from tests.simulators.telegram import TelegramSimulator
from tests.simulators.telegram_messages import Message

assert Bot

SECRET = "the-webhook-secret-of-telegram"


class Telegram:
    name = "telegram"
    simulator = TelegramSimulator
    signature = "x-telegram-bot-api-secret-token"
    calls = "[se][ed][ni][dt]*"  # sendMessage, sendPhoto, editMessageMedia …
    secrets = (SECRET, TelegramSimulator.token, TelegramSimulator.token.split(":")[1])
    statuses = ()
    lacks: ClassVar = {
        "signed_body": "Telegram sends a secret that is the same each time",
        "batches": "a webhook is one update",
        "receipts": "bots are told nothing of their messages",
    }
    refusals: ClassVar = {
        "too_many": (
            429,
            {
                "ok": False,
                "error_code": 429,
                "description": "Too Many Requests: retry after 7",
                "parameters": {"retry_after": 7},
            },
        ),
        "down": (500, {"ok": False, "error_code": 500, "description": "Internal Server Error"}),
        "final": (
            400,
            {"ok": False, "error_code": 400, "description": "Bad Request: text is too strange"},
        ),
        "gone": (
            403,
            {
                "ok": False,
                "error_code": 403,
                "description": "Forbidden: bot was blocked by the user",
            },
        ),
        "unauthorized": (401, {"ok": False, "error_code": 401, "description": "Unauthorized"}),
    }

    def __init__(self, telegram: TelegramSimulator) -> None:
        self.telegram = telegram

    def table(self) -> str:
        return f"""
            module = "channels.telegram"
            token = "{self.telegram.token}"
            mode = "webhook"
            webhook_secret = "{SECRET}"
            api_base = "{self.telegram.url}"
        """

    def guest(self, number: int) -> str:
        guest = self.telegram.guest(first_name="Ana", language_code="en")
        guest.write(guest.user, "text", "/start", quiet=True)
        return str(guest.id)

    def says(self, guest: str, text: str, number: int) -> Any:
        return {"update_id": number, "message": self.message(guest, number, text=text)}

    def presses(self, guest: str, option: Option, number: int) -> Any:
        if option.value == option.label:  # on a keyboard that types what is on it
            return self.says(guest, option.label, number)
        chat = self.telegram.chats[int(guest)]
        query = {
            "id": str(number),
            "from": chat.user,
            "message": chat.last.as_json(),
            "chat_instance": "1",
            "data": option.value,
        }
        return {"update_id": number, "callback_query": query}

    def message(self, guest: str, number: int, **content: Any) -> dict[str, Any]:
        chat = self.telegram.chats[int(guest)]
        about = {"message_id": number, "date": self.telegram.now()}
        return {**about, "chat": chat.as_json(), "from": chat.user, **content}

    def unknown(self, number: int) -> Any:
        return {"update_id": number, "hologram": {"chat": {"id": 1, "type": "private"}}}

    def broken(self, number: int) -> Any:
        return {"update_id": number, "message": {"message_id": "seven", "chat": None}}

    def webhook(self, url: str, events: Sequence[Any]) -> Request:
        (update,) = events
        return self.signed(url, json.dumps(update).encode())

    def signed(self, url: str, body: bytes) -> Request:
        headers = {"content-type": "application/json", self.signature: SECRET}
        return Request("POST", url, headers, {}, body)

    def seen(self, guest: str) -> Sequence[Outbound]:
        return [as_outbound(message) for message in self.telegram.chats[int(guest)].messages]


def as_outbound(message: Message) -> Outbound:
    markup = message.markup or {}
    inline = [
        tuple(Option(b["callback_data"], b["text"]) for b in row if "callback_data" in b)
        for row in markup.get("inline_keyboard") or []
    ]
    typed = [
        tuple(Option(b["text"], b["text"]) for b in row if not b.get("request_contact"))
        for row in markup.get("keyboard") or []
    ]
    asking = [
        button["text"]
        for row in markup.get("keyboard") or []
        for button in row
        if button.get("request_contact")
    ]
    return Outbound(
        text=message.text,
        options=tuple(row for row in (*inline, *typed) if row),
        links=tuple(Link(label, url) for label, url in message.links.items()),
        picture=Picture(message.photo, "") if message.photo else None,
        ask_phone=asking[0] if asking else None,
    )


@pytest.mark.malva(vendor=Telegram)
def test_the_contract(channel_contract: Callable[[], None]) -> None:
    channel_contract()
