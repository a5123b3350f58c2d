"""The guest's side of Viber: what they do there, and what they see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import viber_rules as rules

if TYPE_CHECKING:
    from .viber import ViberSimulator


@dataclass
class Message:
    """A message to a guest. `token` is empty for a welcome, which has none; `picture` is what was
    fetched from `media`; `failed` why the app did not show it."""

    token: str
    kind: str
    text: str
    keyboard: dict[str, Any] = field(default_factory=dict)
    media: str = ""
    picture: bytes | None = None
    failed: str = ""
    welcome: bool = False
    revision: int = 0

    @property
    def rows(self) -> list[list[str]]:
        """Labels, as they are laid out."""
        laid_out = rules.rows(self.keyboard) if self.keyboard else []
        return [[rules.shown(button.get("Text", "")) for button in row] for row in laid_out]

    @property
    def labels(self) -> list[str]:
        return [label for row in self.rows for label in row]

    def buttons(self, action: str) -> Iterator[dict[str, Any]]:
        for button in self.keyboard.get("Buttons", []):
            if button.get("ActionType", "reply") == action:
                yield button

    def labelled(self, action: str) -> list[str]:
        return [rules.shown(button["Text"]) for button in self.buttons(action)]

    def button(self, label: str) -> dict[str, Any]:
        return next(b for b in self.keyboard["Buttons"] if rules.shown(b.get("Text", "")) == label)

    def __str__(self) -> str:
        failed = f" failed: {self.failed}" if self.failed else ""
        return f"[{self.token[-4:] or 'hi'}] {self.kind}: {self.text!r} {self.labels}{failed}"


class Guest:
    """A person on Viber and their chat with the bot. `api_version` is their app's; on a
    `desktop` there is no number to share."""

    def __init__(
        self,
        viber: ViberSimulator,
        id: str,
        name: str,
        language: str | None,
        phone: str | None,
    ) -> None:
        self.viber = viber
        self.id = id
        self.name = name
        self.language = language
        self.phone = phone
        self.api_version = 10
        self.desktop = False
        self.registered = True
        self.subscribed = False
        self.everything: list[Message] = []
        self.unanswered: list[float] = []
        self.since = 0

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"

    def as_json(self) -> dict[str, Any]:
        """https://developers.viber.com/docs/api/rest-bot-api/#receive-message-from-user"""
        told = {
            "id": self.id,
            "name": self.name if self.viber.tells_names else "",
            "avatar": "https://media-direct.cdn.viber.com/download_photo?dlid=0",
            "language": self.language,
            "country": "RS",
            "api_version": self.api_version,
        }
        return {name: value for name, value in told.items() if value}

    # What a guest does: each gives the event's message_token

    def opens(self, context: str | None = None) -> str:
        """Opens the chat, by a deep link if it has a context. That subscribes nobody."""
        about: dict[str, Any] = {"type": "open", "subscribed": self.subscribed}
        if context is not None:
            about["context"] = context
        return self.acts("conversation_started", user=self.as_json(), **about)

    def writes(self, kind: str, *, silent: bool = False, **message: Any) -> str:
        """A message, which subscribes without another word."""
        self.subscribed = True
        self.unanswered.clear()
        content = {"type": kind, **message}
        return self.acts("message", sender=self.as_json(), message=content, silent=silent)

    def acts(self, event: str, **fields: Any) -> str:
        self.since = self.viber.revision
        return self.viber.deliver(event, guest=self, **fields)

    def says(self, text: str) -> str:
        return self.writes("text", text=text)

    def subscribes(self) -> str:
        """`Receive messages`, in the chat's info."""
        self.subscribed = True
        return self.acts("subscribed", user=self.as_json())

    def unsubscribes(self) -> str:
        self.subscribed = False
        return self.acts("unsubscribed", user_id=self.id)

    def presses(self, label: str) -> str:
        """A button of the keyboard that is shown."""
        shown = next((m for m in reversed(self.messages) if m.keyboard), None)
        if shown is None or label not in shown.labels:
            raise AssertionError(f"{self} sees no button {label!r}:\n{self.transcript()}")
        return self.press(shown.button(label))

    def press(self, button: dict[str, Any]) -> str:
        """A link that is opened comes back as a text, too."""
        body, silent = button["ActionBody"], button.get("Silent", False)
        if button.get("ActionType") == "share-phone" and not self.desktop:
            assert self.phone, f"{self} has no phone"
            return self.shares_contact(self.phone, text=body)
        return self.writes("text", text=body, silent=silent)

    def shares_contact(self, phone: str, name: str = "", text: str = "") -> str:
        """A contact. From the address book it has no text; the button's has its ActionBody."""
        contact = {"name": name or self.name, "phone_number": phone.lstrip("+")}
        return self.writes("contact", contact=contact, **({"text": text} if text else {}))

    def sends_sticker(self, sticker_id: int = 46105) -> str:
        return self.writes("sticker", media="https://s.viber.com/46105.png", sticker_id=sticker_id)

    def sends_picture(self, text: str = "") -> str:
        media = "https://dl-media.viber.com/1/share/2/long/vibes/icon/image/0x0/x.jpg"
        return self.writes("picture", text=text, media=media, thumbnail=media, file_name="x.jpg")

    def sends_location(self, lat: float = 44.8176, lon: float = 20.4569) -> str:
        return self.writes("location", location={"lat": lat, "lon": lon})

    def reads(self, message: Message) -> str:
        """Opens the chat with this unread message in it."""
        return self.viber.tell(self, message, "seen")

    # What a guest sees

    @property
    def messages(self) -> list[Message]:
        """What the app has shown, oldest first."""
        return [message for message in list(self.everything) if not message.failed]

    @property
    def fresh(self) -> list[Message]:
        return [message for message in self.messages if message.revision > self.since]

    @property
    def last(self) -> Message:
        assert self.messages, f"nothing has reached {self}"
        return self.messages[-1]

    @property
    def keyboard(self) -> dict[str, Any]:
        """The most recently sent, on whichever message."""
        return next((m.keyboard for m in reversed(self.messages) if m.keyboard), {})

    def transcript(self) -> str:
        return "\n".join(str(message) for message in list(self.everything)) or "(nothing)"

    def wait_for(
        self,
        *,
        text: str = "",
        button: str | None = None,
        kind: str | None = None,
        fresh: bool = False,
        timeout: float = 5.0,
    ) -> Message:
        """The newest message with this text in it, this button, this kind. `fresh` looks only at
        what came since the guest's last action."""

        def found() -> list[Message]:
            return [
                message
                for message in (self.fresh if fresh else self.messages)
                if text in message.text
                and (button is None or button in message.labels)
                and (kind is None or kind == message.kind)
            ]

        self.await_(lambda: bool(found()), timeout)
        return found()[-1]

    async def wait_for_async(self, **wanted: Any) -> Message:
        return await asyncio.to_thread(lambda: self.wait_for(**wanted))

    def await_(self, happened: Callable[[], bool], timeout: float) -> None:
        try:
            self.viber.wait_until(happened, timeout)
        except AssertionError:
            raise AssertionError(
                f"not within {timeout:g} s; {self} sees:\n{self.transcript()}"
            ) from None
