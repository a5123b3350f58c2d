"""The guest's side of WhatsApp: what they do there, and what they see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .twilio import TwilioSimulator


@dataclass
class Message:
    """A message to a guest. `buttons` are labels and ids; `kind` is text, media, quick-reply,
    list-picker or template; `media` what was fetched from `media_url`."""

    sid: str
    to: str
    kind: str
    text: str
    buttons: list[tuple[str, str]] = field(default_factory=list)
    content_sid: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    media_url: str = ""
    media: bytes | None = None
    callback: str = ""
    status: str = "accepted"
    error: int | None = None
    revision: int = 0

    @property
    def labels(self) -> list[str]:
        return [label for label, _ in self.buttons]

    @property
    def arrived(self) -> bool:
        return self.error is None

    def __str__(self) -> str:
        shown = f" {self.labels}" if self.buttons else ""
        failed = f" failed: {self.error}" if self.error else ""
        return f"[{self.sid[-6:]}] {self.kind}: {self.text!r}{shown}{failed}"


class Guest:
    """A person on WhatsApp and their chat with the sender. Without a `phone` Twilio knows them by
    a business-scoped id only (ExternalUserId)."""

    def __init__(
        self, twilio: TwilioSimulator, phone: str | None, name: str, user_id: str = ""
    ) -> None:
        self.twilio = twilio
        self.phone = phone
        self.name = name
        self.user_id = user_id
        self.everything: list[Message] = []
        self.heard_at: datetime | None = None
        self.stopped = False
        self.exists = True
        self.since = 0

    @property
    def address(self) -> str:
        return f"whatsapp:{self.phone or self.user_id}"

    def __str__(self) -> str:
        return f"{self.name} ({self.address})"

    # What a guest does

    def acts(self, text: str = "", **fields: str) -> str:
        """Sends something; the SID of the webhook's message."""
        self.since = self.twilio.revision
        self.heard_at = self.twilio.clock()
        return self.twilio.deliver_inbound(self, {"Body": text, **fields})

    def says(self, text: str, **fields: str) -> str:
        return self.acts(text, MessageType="text", **fields)

    def starts(self, payload: str | None = None) -> str:
        """Opens the join link and sends the text that it fills in."""
        return self.says("start" if payload is None else f"start {payload}")

    def presses(self, label: str, message: Message | None = None) -> str:
        """A button or a list's item, of the newest message that has one so called."""
        for shown in [message] if message else reversed(self.messages):
            for text, id_ in shown.buttons:
                if text == label:
                    return self.presses_id(id_, label, shown)
        raise AssertionError(f"{self} sees no button {label!r}:\n{self.transcript()}")

    def presses_id(self, id_: str, label: str, message: Message | None = None) -> str:
        """Also one of long ago, or one that never was."""
        replied = {"OriginalRepliedMessageSid": message.sid} if message else {}
        sender = {"OriginalRepliedMessageSender": self.twilio.sender} if message else {}
        if message is not None and message.kind == "list-picker":
            chosen = {"ListId": id_, "ListTitle": label}
        else:
            chosen = {"ButtonPayload": id_, "ButtonText": label}
        return self.acts(label, MessageType="interactive", **chosen, **replied, **sender)

    def sends_location(self, latitude: str = "44.8176", longitude: str = "20.4569") -> str:
        place = {"Latitude": latitude, "Longitude": longitude, "Label": "Kalemegdan"}
        return self.acts(MessageType="location", **place)

    def sends_media(self, content_type: str = "image/jpeg", caption: str = "") -> str:
        account = f"{self.twilio.url}/2010-04-01/Accounts/{self.twilio.account_sid}"
        url = f"{account}/Messages/MM1/Media/ME1"
        media = {"NumMedia": "1", "MediaUrl0": url, "MediaContentType0": content_type}
        return self.acts(caption, MessageType=content_type.split("/")[0], **media)

    def forwards(self, text: str) -> str:
        return self.says(text, Forwarded="true", FrequentlyForwarded="true")

    def comes_from_ad(self, text: str) -> str:
        """https://www.twilio.com/docs/messaging/guides/webhook-request: click to WhatsApp."""
        return self.says(
            text,
            ReferralSourceId="120208",
            ReferralSourceType="ad",
            ReferralSourceUrl="https://fb.me/x",
            ReferralHeadline="Coffee",
            ReferralBody="Points for each cup",
            ReferralNumMedia="0",
            ReferralCtwaClid="ARAkLk",
        )

    def stops(self) -> str:
        """STOP, where Twilio's opt-out handles it: nothing gets through any more."""
        sid = self.acts("STOP", OptOutType="STOP")
        self.stopped = True
        return sid

    def sends_stop_silently(self) -> None:
        """STOP, of which the webhook is not told."""
        self.stopped = True

    def restarts(self) -> str:
        self.stopped = False
        return self.acts("START", OptOutType="START")

    # What a guest sees

    @property
    def messages(self) -> list[Message]:
        """What has reached them, oldest first."""
        return [message for message in list(self.everything) if message.arrived]

    @property
    def fresh(self) -> list[Message]:
        return [message for message in self.messages if message.revision > self.since]

    @property
    def last(self) -> Message:
        assert self.messages, f"nothing has reached {self}"
        return self.messages[-1]

    def transcript(self) -> str:
        return "\n".join(str(message) for message in list(self.everything)) or "(nothing)"

    def finder(
        self, text: str | None, button: str | None, kind: str | None, fresh: bool
    ) -> Callable[[], list[Message]]:
        def fits(message: Message) -> bool:
            return (
                (text is None or text in message.text)
                and (button is None or button in message.labels)
                and (kind is None or kind == message.kind)
            )

        return lambda: [m for m in (self.fresh if fresh else self.messages) if fits(m)]

    def wait_for(
        self,
        *,
        text: str | None = None,
        button: str | None = None,
        kind: str | None = None,
        count: int = 1,
        fresh: bool = False,
        timeout: float = 5.0,
    ) -> Message:
        """The newest of at least `count` messages with this text in them, this button, this
        kind. `fresh` looks only at what came since the guest's last action."""
        found = self.finder(text, button, kind, fresh)
        try:
            self.twilio.wait_until(lambda: len(found()) >= count, timeout)
        except AssertionError:
            raise AssertionError(
                f"not within {timeout:g} s; {self} sees:\n{self.transcript()}"
            ) from None
        return found()[-1]

    async def wait_for_async(self, **wanted: object) -> Message:
        return await asyncio.to_thread(lambda: self.wait_for(**wanted))  # type: ignore[arg-type]
