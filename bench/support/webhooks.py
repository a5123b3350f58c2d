"""Webhooks as each provider sends and signs them: guests who ask for the menu, one after the
other."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import orjson

from bench.support.load import post

GUESTS = 2000
"""Of each channel."""
SECRET = "bench-secret"
TOKEN = "1:benchmark-benchmark-benchmark"
PUBLIC_URL = "https://bench.example"
SENDER = "whatsapp:+381600000000"

PLUGINS = """
[channels.telegram]
module = "bench.support.unpaced.telegram"
token = "{token}"
mode = "webhook"
webhook_secret = "{secret}"
api_base = "{url}"

[channels.whatsapp]
module = "bench.support.unpaced.whatsapp"
account_sid = "AC00000000000000000000000000000000"
auth_token = "{secret}"
from = "{sender}"
api_base = "{url}"
content_base = "{url}"

[channels.viber]
module = "bench.support.unpaced.viber"
token = "{secret}"
sender_name = "Bench"
api_base = "{url}/pa"
"""


@dataclass(frozen=True)
class Kind:
    """A channel that is reached by HTTP: a guest's address there, and the request that a guest's
    message comes by, for its path and its number."""

    name: str
    title: str
    address: Callable[[int], str]
    request: Callable[[str, int], bytes]

    def requests(self, path: str, numbers: Iterator[int]) -> Iterator[bytes]:
        return (self.request(path, number) for number in numbers)


def plugins(url: str) -> str:
    """The part of a plugins.toml for them all; their provider is at `url`."""
    return PLUGINS.format(token=TOKEN, secret=SECRET, sender=SENDER, url=url)


def _guest(number: int) -> int:
    return number % GUESTS + 1


def _telegram(path: str, number: int) -> bytes:
    chat = _guest(number)
    message = {
        "message_id": number,
        "date": 1795348800,
        "chat": {"id": chat, "type": "private", "first_name": "Ana"},
        "from": {"id": chat, "is_bot": False, "first_name": "Ana", "language_code": "sr"},
        "text": "menu",
    }
    update = orjson.dumps({"update_id": number, "message": message})
    return post(path, update, f"X-Telegram-Bot-Api-Secret-Token: {SECRET}")


def _whatsapp(path: str, number: int) -> bytes:
    """https://www.twilio.com/docs/usage/webhooks/webhooks-security"""
    address = _whatsapp_address(_guest(number))
    form = {
        "AccountSid": "AC00000000000000000000000000000000",
        "ApiVersion": "2010-04-01",
        "Body": "menu",
        "From": address,
        "MessageSid": f"SM{number:032x}",
        "MessageType": "text",
        "NumMedia": "0",
        "NumSegments": "1",
        "ProfileName": "Ana",
        "SmsStatus": "received",
        "To": SENDER,
        "WaId": address.removeprefix("whatsapp:+"),
    }
    signed = PUBLIC_URL + path + "".join(name + form[name] for name in sorted(form))
    digest = hmac.digest(SECRET.encode(), signed.encode(), hashlib.sha1)
    signature = f"X-Twilio-Signature: {base64.b64encode(digest).decode()}"
    body = urlencode(form).encode()
    return post(path, body, signature, content_type="application/x-www-form-urlencoded")


def _viber(path: str, number: int) -> bytes:
    """https://developers.viber.com/docs/api/rest-bot-api/#receive-message-from-user"""
    event = {
        "event": "message",
        "timestamp": 1795348800000,
        "message_token": 10**18 + number,
        "sender": {"id": _viber_address(_guest(number)), "name": "Ana", "language": "sr"},
        "message": {"type": "text", "text": "menu"},
    }
    body = orjson.dumps(event)
    signature = hmac.digest(SECRET.encode(), body, hashlib.sha256).hex()
    return post(path, body, f"X-Viber-Content-Signature: {signature}")


def _whatsapp_address(guest: int) -> str:
    return f"whatsapp:+38160{guest:07}"


def _viber_address(guest: int) -> str:
    return f"{guest:024}=="


TELEGRAM = Kind("telegram", "Telegram", str, _telegram)
WHATSAPP = Kind("whatsapp", "WhatsApp", _whatsapp_address, _whatsapp)
VIBER = Kind("viber", "Viber", _viber_address, _viber)
