"""LINE's side, as Malva's contract kit asks about it: a Messaging API that takes pushes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import malva
import pytest

SECRET = "8c570fa6dd201bb328f1c1eac23a96d8"
TOKEN = "the-channel-access-token-that-opens-nothing"
AGAIN = "The API rate limit has been exceeded. Try again later."


class Line:
    name = "line"
    signature = "x-line-signature"
    calls = "POST /v2/bot/message/push"
    statuses = ()
    secrets = (SECRET, TOKEN)
    lacks: ClassVar = {
        "receipts": "LINE tells a bot nothing of its messages",
        "edits": "what was sent on LINE stays",
        "asks_phone": "LINE has no button that shares a number",
        "uncertainty": "a call that is repeated with its X-Line-Retry-Key has one effect",
    }
    refusals: ClassVar = {  # https://developers.line.biz/en/reference/messaging-api/#error-responses
        "too_many": (429, {"message": AGAIN}),
        "down": (500, {"message": "Internal Server Error"}),
        "final": (400, {"message": "The request body has 1 error(s)"}),
        "gone": (400, {"message": "Failed to send messages"}),
        "unauthorized": (401, {"message": "Authentication failed due to the following reason: …"}),
    }

    def __init__(self, provider: Any) -> None:
        self.provider = provider
        self.chats: dict[str, list[malva.Outbound]] = defaultdict(list)
        self.keys: set[str] = set()
        provider.answers = self.answer

    def table(self) -> str:
        return f"""
            module = "malva_line"
            channel_secret = "{SECRET}"
            channel_access_token = "{TOKEN}"
            api_base = "{self.provider.url}"
        """

    # -- webhooks: https://developers.line.biz/en/reference/messaging-api/#webhooks --------------

    def guest(self, number: int) -> str:
        return f"U{number:032x}"

    def says(self, guest: str, text: str, number: int) -> Any:
        message = {"id": str(number), "type": "text", "quoteToken": "q3Plxr4AgKd", "text": text}
        return self.event(guest, "message", number, message=message)

    def presses(self, guest: str, option: malva.Option, number: int) -> Any:
        return self.event(guest, "postback", number, postback={"data": option.value})

    def unknown(self, number: int) -> Any:
        return self.event(self.guest(number), "telepathy", number)

    def broken(self, number: int) -> Any:
        return self.event(self.guest(number), "message", number, message="hi")

    def event(self, guest: str, kind: str, number: int, **content: Any) -> dict[str, Any]:
        return {
            "type": kind,
            "mode": "active",
            "timestamp": 1795348800000 + number,
            "source": {"type": "user", "userId": guest},
            "webhookEventId": f"01FZ74A0TDDPYRVKNK{number:08d}",
            "deliveryContext": {"isRedelivery": False},
            **content,
        }

    def webhook(self, url: str, events: Sequence[Any]) -> malva.Request:
        destination = f"U{0:032x}"
        body = {"destination": destination, "events": list(events)}
        return self.signed(url, json.dumps(body).encode())

    def signed(self, url: str, body: bytes) -> malva.Request:
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).digest()
        headers = {
            "content-type": "application/json; charset=utf-8",
            self.signature: base64.b64encode(digest).decode(),
        }
        return malva.Request("POST", url, headers, {}, body)

    # -- the API: https://developers.line.biz/en/reference/messaging-api/#send-push-message ------

    def answer(self, call: Any) -> tuple[int, Any]:
        if call.headers.get("Authorization") != f"Bearer {TOKEN}":
            status, body = self.refusals["unauthorized"]
            return status, body
        if call.name == "GET /v2/bot/info":
            return 200, {"userId": f"U{0:032x}", "basicId": "@216ruaqn", "displayName": "BIFE"}
        if call.name == self.calls:
            return self.take(call)
        return 404, {"message": "Not found"}

    def take(self, call: Any) -> tuple[int, Any]:
        key = call.headers["X-Line-Retry-Key"]
        messages = call.params["messages"]
        if wrong := next(filter(None, map(fault, messages)), None):
            return 400, {"message": wrong}
        sent = {"sentMessages": [{"id": f"{key}:{n}"} for n, _ in enumerate(messages)]}
        if key in self.keys:
            return 409, {"message": "The retry key is already accepted", **sent}
        self.keys.add(key)
        self.chats[call.params["to"]] += map(as_outbound, messages)
        return 200, sent

    def seen(self, guest: str) -> Sequence[malva.Outbound]:
        return list(self.chats[guest])


def fault(message: dict[str, Any]) -> str | None:
    """What LINE would refuse: it counts UTF-16 code units."""
    items = message.get("quickReply", {}).get("items", [])
    if len(items) > 13 or any(len(item["action"]["label"]) > 20 for item in items):
        return "May not be more than 13 items of 20 characters"
    if message["type"] == "text" and len(message["text"].encode("utf-16-le")) > 2 * 5000:
        return "Length must be between 0 and 5000"
    return None


def as_outbound(message: dict[str, Any]) -> malva.Outbound:
    """What a guest sees of it."""
    items = message.get("quickReply", {}).get("items", [])
    picture = message.get("originalContentUrl")
    return malva.Outbound(
        text=message.get("text", ""),
        options=tuple(
            (malva.Option(item["action"]["data"], item["action"]["label"]),) for item in items
        ),
        picture=malva.Picture(b"", "", picture) if picture else None,
    )


@pytest.mark.malva(vendor=Line)
def test_the_contract(channel_contract: Callable[[], None]) -> None:
    channel_contract()


@pytest.mark.malva(vendor=Line)
def test_what_is_sent_again_is_shown_once(channel_trial: Any) -> None:
    """Also in several calls, of which LINE takes five messages each."""
    guest = channel_trial.guest()
    delivery = malva.Delivery(7, guest, malva.Outbound(text="word " * 3000))
    with channel_trial.alone() as alone:
        first, again = [alone.run(alone.adapter.send(delivery)) for _ in range(2)]
    assert first == again
    assert len(channel_trial.vendor.seen(guest)) == 6


@pytest.mark.malva(vendor=Line)
def test_a_join_link_fills_in_a_start(channel_trial: Any) -> None:
    with channel_trial.alone() as alone:
        assert alone.adapter.join_link("cafe_bife") is None  # LINE hasn't told our name yet
        alone.run(alone.for_a_moment(alone.adapter.run()))
        link = alone.adapter.join_link("cafe_bife")
    assert link == "https://line.me/R/oaMessage/%40216ruaqn/?start%20cafe_bife"
