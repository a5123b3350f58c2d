"""A guest on WhatsApp, by a simulated Twilio, whom scripts (tests/support/dialogs.py) can be played
with."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from channels.whatsapp import WhatsApp
from tests.end_to_end.around import eventually
from tests.simulators.twilio import TwilioSimulator
from tests.simulators.twilio_guests import Message
from tests.support.dialogs import CODE, Heard, all_is_said
from tests.support.running import Running

LINK = re.compile(r"(?:\n\n|\n|^)(?P<label>[^\n]+): https?://\S+(?=\n|$)")
DIGITS = re.compile(r"\b\d{3} \d{3}\b")


def house(twilio: TwilioSimulator, templates: str = "") -> str:
    """A plugins.toml with WhatsApp alone; `templates` as its table has them."""
    return f"""
[business]
name = "BIFE"

[pages.portal]
module = "portal"

[channels.whatsapp]
module = "channels.whatsapp"
account_sid = "{twilio.account_sid}"
auth_token = "{twilio.auth_token}"
from = "{twilio.sender}"
api_base = "{twilio.url}"
content_base = "{twilio.url}"

[channels.whatsapp.templates]
{templates}
"""


class WhatsAppChat:
    """`tests.support.dialogs.Chat` of a guest on WhatsApp."""

    capabilities = WhatsApp.capabilities
    speaks_first = "en"

    def __init__(self, malva: Running, twilio: TwilioSimulator, name: str | None) -> None:
        self.malva = malva
        self.database = malva.database
        self.twilio = twilio
        self.guest = twilio.guest("+381601234567", name=name or "")
        self.seen = 0

    async def start(self, payload: str) -> None:
        self.act(lambda: self.guest.starts(payload or None))

    async def say(self, text: str) -> None:
        self.act(lambda: self.guest.says(text))

    async def press(self, label: str) -> None:
        self.act(lambda: self.guest.presses(label))

    async def old(self, value: str) -> None:
        self.act(lambda: self.guest.presses_id(value, "of long ago"))

    async def share(self, phone: str, own: bool) -> None:
        self.act(lambda: self.guest.sends_media("text/vcard"))

    async def send(self, what: str) -> None:
        self.act(lambda: self.guest.sends_media("image/webp"))

    async def leave(self) -> None:
        self.act(self.guest.stops)

    async def come_back(self) -> None:
        self.act(self.guest.restarts)

    def act(self, act: Callable[[], str]) -> None:
        self.twilio.wait_answered(act())
        eventually(self.all_is_said, what=f"an answer\n{self.guest.transcript()}")

    async def heard(self) -> list[Heard]:
        new = [message for message in self.guest.messages if message.revision > self.seen]
        self.seen = max([self.seen, *(message.revision for message in new)])
        return as_heard(new)

    def all_is_said(self) -> bool:
        return all_is_said(self.database)


def as_heard(new: Sequence[Message]) -> list[Heard]:
    """Messages as the scripts speak of them. A card is two: the picture, and below it what
    can't stand on a picture, the link and Refresh."""
    found: list[Heard] = []
    for message in new:
        if found and found[-1].card and LINK.match(message.text):
            continue
        if found and found[-1].card and found[-1].text.startswith(f"{message.text}\n"):
            found[-1] = replace(found[-1], options=tuple(message.labels))
            continue
        links = tuple(match["label"] for match in LINK.finditer(message.text))
        text = LINK.sub("", message.text)
        card = message.kind == "media" and bool(DIGITS.search(text) or CODE.search(text))
        found.append(Heard(text, tuple(message.labels), links, card=card))
    return found
