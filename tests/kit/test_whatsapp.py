"""WhatsApp on the contract kit, beside a simulated Twilio: https://www.twilio.com/docs/whatsapp"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

import pytest

from core.contract import Option, Outbound, Picture, Request
from tests.simulators import twilio_rules as rules
from tests.simulators.twilio import TwilioSimulator
from tests.simulators.twilio_guests import Message


def error(status: int, code: int) -> tuple[int, Any]:
    """https://www.twilio.com/docs/usage/twilios-response#response-formats-exceptions"""
    return status, rules.error_body(status, code, rules.SAID.get(code, "Error"))


class WhatsApp:
    name = "whatsapp"
    simulator = TwilioSimulator
    signature = "x-twilio-signature"
    calls = "messages"
    statuses = ("sent", "delivered", "read")
    lacks: ClassVar = {
        "batches": "Twilio tells one message in each webhook",
        "broken": "a webhook is a form of texts, of which none can have another type",
        "edits": "what was sent on WhatsApp by Twilio stays",
        "asks_phone": "WhatsApp proves the number of whoever has one",
    }
    refusals: ClassVar = {
        "too_many": error(429, 20429),
        "down": error(500, 20500),
        "final": error(400, 21211),
        "gone": error(400, 21610),
        "unauthorized": error(401, 20003),
    }

    def __init__(self, twilio: TwilioSimulator) -> None:
        self.twilio = twilio
        twilio.story = ()  # what is told of a message, the kit tells
        self.secrets = [twilio.auth_token]

    def table(self) -> str:
        return f"""
            module = "channels.whatsapp"
            account_sid = "{self.twilio.account_sid}"
            auth_token = "{self.twilio.auth_token}"
            from = "{self.twilio.sender}"
            api_base = "{self.twilio.url}"
            content_base = "{self.twilio.url}"
        """

    def guest(self, number: int) -> str:
        guest = self.twilio.guest(f"+38160{number:07d}", name="Ana")
        guest.heard_at = self.twilio.clock()
        self.secrets.append(f"38160{number:07d}")
        return guest.address

    def says(self, guest: str, text: str, number: int) -> Any:
        return self.form(guest, number, Body=text, MessageType="text")

    def presses(self, guest: str, option: Option, number: int) -> Any:
        pressed = {"ButtonPayload": option.value, "ButtonText": option.label}
        return self.form(guest, number, Body=option.label, MessageType="interactive", **pressed)

    def form(self, guest: str, number: int, **fields: str) -> dict[str, str]:
        """https://www.twilio.com/docs/messaging/guides/webhook-request"""
        return {
            "MessageSid": f"SM{number:032x}",
            "AccountSid": self.twilio.account_sid,
            "From": guest,
            "To": self.twilio.sender,
            "ProfileName": "Ana",
            "NumMedia": "0",
            "SmsStatus": "received",
            "ApiVersion": "2010-04-01",
            **fields,
        }

    def receipt(self, provider_id: str, status: str, number: int) -> Any:
        """https://www.twilio.com/docs/messaging/guides/track-outbound-message-status"""
        return {"MessageSid": provider_id, "MessageStatus": status, "To": "whatsapp:+381601"}

    def unknown(self, number: int) -> Any:
        return {"MessageSid": f"SM{number:032x}", "MessageStatus": "teleported"}

    def webhook(self, url: str, events: Sequence[Any]) -> Request:
        (form,) = events
        return self.signed(url, urlencode(form).encode())

    def signed(self, url: str, body: bytes) -> Request:
        """Over the address and the fields, as Twilio's own library does it."""
        try:
            fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
        except UnicodeDecodeError:  # no form at all
            fields = {}
        headers = {
            "content-type": "application/x-www-form-urlencoded; charset=utf-8",
            self.signature: self.twilio.signature(url, fields),
        }
        return Request("POST", url, headers, {}, body)

    def seen(self, guest: str) -> Sequence[Outbound]:
        return [as_outbound(message) for message in self.twilio.guests[guest].messages]


def as_outbound(message: Message) -> Outbound:
    return Outbound(
        text=message.text,
        options=tuple((Option(value, label),) for label, value in message.buttons),
        picture=Picture(message.media, "", message.media_url) if message.media else None,
    )


@pytest.mark.malva(vendor=WhatsApp)
def test_the_contract(channel_contract: Callable[[], None]) -> None:
    channel_contract()
