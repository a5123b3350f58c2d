"""A messenger as plain as can be: JSON lists in, what was sent kept in a list."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from core.contract import (
    Capabilities,
    Chose,
    Inbound,
    Pace,
    Receipt,
    Refused,
    Said,
    Sender,
    Sent,
    Started,
    Unreadable,
)

FAST = Capabilities(
    options=8,
    text_length=4096,
    caption_length=1024,
    asks_phone=True,
    pace=Pace(1e6, 1000),
    chat_pace=Pace(1e6, 100),
)


@dataclass
class PlainChannel:
    """An event is `{"id", "from", "say"}`, with `start` or `press` instead of `say`, or `inline`
    and `handle` besides; or a receipt: `{"id", "of", "status"}`."""

    capabilities: Capabilities = FAST
    sent: list[tuple[str, str]] = field(default_factory=list)
    deliveries: list = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)

    def verify(self, request):
        if request.headers.get("secret") != "open sesame":
            raise Refused("no secret")

    def parse(self, request):
        if request.body == b"boom":
            raise RuntimeError("a bug in the adapter")
        try:
            return [self.event(one) for one in json.loads(request.body)]
        except (ValueError, KeyError) as error:
            raise Unreadable(str(error), tolerate=b"tolerate" in request.body) from None

    def event(self, one):
        if "of" in one:
            return Receipt(event_id=one["id"], provider_id=one["of"], status=one["status"])
        content = Said(one["say"]) if "say" in one else Started(one.get("start"))
        if "press" in one:
            content = Chose(one["press"])
        return Inbound(
            event_id=one["id"],
            sender=Sender(one["from"], name="Ana", language="en"),
            content=content,
            reply_inline=one.get("inline", False),
            handle=one.get("handle"),
        )

    async def send(self, delivery):
        self.deliveries.append(delivery)
        self.sent.append((delivery.address, delivery.message.text))
        return Sent(f"p{delivery.id}")

    async def acknowledge(self, event):
        self.acknowledged.append(event.handle)

    def render_inline(self, message):
        return json.dumps({"text": message.text}).encode(), "application/json"
