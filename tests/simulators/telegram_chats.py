"""The guest's side of Telegram: chats, what a guest can do there, and what they see."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from .telegram_messages import Message, Press, label
from .telegram_rules import utf16_length

if TYPE_CHECKING:
    from .telegram import TelegramSimulator


class Chat:
    """A chat that the bot may know."""

    def __init__(self, telegram: TelegramSimulator, id: int) -> None:
        self.telegram = telegram
        self.id = id
        self.everything: list[Message] = []
        self.keyboard: dict[str, Any] | None = None
        self.tokens: float | None = None
        self.refilled = 0.0

    def as_json(self) -> dict[str, Any]:
        raise NotImplementedError

    def refusal(self) -> tuple[int, str] | None:
        """Why the bot can't write here: code and description."""
        raise NotImplementedError

    @property
    def private(self) -> bool:
        return self.id > 0

    @property
    def messages(self) -> list[Message]:
        """The bot's messages here as they look now, oldest first; deleted ones are gone."""
        return [m for m in list(self.everything) if m.from_bot and not m.deleted]

    @property
    def last(self) -> Message:
        assert self.messages, f"the bot has written nothing to {self}"
        return self.messages[-1]

    def transcript(self) -> str:
        return "\n".join(str(message) for message in list(self.everything))

    def write(
        self,
        sender: dict[str, Any],
        kind: str,
        text: str = "",
        *,
        quiet: bool = False,
        **content: Any,
    ) -> Message:
        """A message that isn't the bot's; the bot gets it as an update."""
        message = self.telegram.remember(self, sender, kind, text, content=content)
        if text.startswith("/"):
            length = utf16_length(text.split()[0])
            message.entities.append({"type": "bot_command", "offset": 0, "length": length})
        if not quiet:
            self.telegram.updates.push({"message": message.as_json()}, self.id)
        return message


class Guest(Chat):
    """A person and their private chat with the bot."""

    def __init__(
        self, telegram: TelegramSimulator, id: int, phone: str | None, **profile: Any
    ) -> None:
        super().__init__(telegram, id)
        self.phone = phone
        self.user = {"id": id, "is_bot": False, **{k: v for k, v in profile.items() if v}}
        self.blocked = False
        self.deactivated = False
        self.since = 0

    def __str__(self) -> str:
        return f"{self.user['first_name']} ({self.id})"

    def as_json(self) -> dict[str, Any]:
        shown = {k: v for k, v in self.user.items() if k not in {"is_bot", "language_code"}}
        return {**shown, "type": "private"}

    def refusal(self) -> tuple[int, str] | None:
        if self.deactivated:
            return 403, "Forbidden: user is deactivated"
        if self.blocked:
            return 403, "Forbidden: bot was blocked by the user"
        if not self.everything:  # a bot can't open a conversation
            return 400, "Bad Request: chat not found"
        return None

    # What a guest does

    def act(self, kind: str, text: str = "", **content: Any) -> Message:
        assert not self.blocked, f"{self} has blocked the bot and can't write to it"
        self.since = self.telegram.revision
        return self.write(self.user, kind, text, **content)

    def says(self, text: str) -> Message:
        return self.act("text", text)

    def starts(self, payload: str | None = None) -> Message:
        """Presses Start, perhaps by t.me/<bot>?start=<payload>; the app unblocks first."""
        if self.blocked:
            self.unblocks()
        return self.says("/start" if payload is None else f"/start {payload}")

    def shares_contact(
        self,
        phone: str | None = None,
        *,
        own: bool = True,
        user_id: int | None = None,
        **content: Any,
    ) -> Message:
        """A contact; with `own=False` somebody else's (`user_id`: theirs, if they have one)."""
        number = phone or self.phone
        assert number, f"{self} has no phone"
        contact: dict[str, Any] = {"phone_number": number, "first_name": self.user["first_name"]}
        if own:
            contact["user_id"] = self.id
        elif user_id:
            contact["user_id"] = user_id
        return self.act("contact", contact=contact, **content)

    def sends_photo(self, caption: str = "") -> Message:
        return self.act("photo", caption, photo=[self.telegram.file_json(b"", 90, 90)])

    def sends_sticker(self, emoji: str = "👍") -> Message:
        kind = {"width": 512, "height": 512, "is_animated": False, "is_video": False}
        file = {**self.telegram.file_json(b"", 512, 512), **kind}
        return self.act("sticker", sticker={**file, "type": "regular", "emoji": emoji})

    def sends_voice(self, seconds: int = 3) -> Message:
        file = self.telegram.file_json(b"", 0, 0)
        ids = {key: file[key] for key in ("file_id", "file_unique_id")}
        return self.act("voice", voice={**ids, "duration": seconds})

    def sends_location(self, latitude: float = 44.8176, longitude: float = 20.4569) -> Message:
        return self.act("location", location={"latitude": latitude, "longitude": longitude})

    def edits(self, text: str, message: Message | None = None) -> Message:
        """Changes what they wrote (the last message, unless named)."""
        mine = [m for m in self.everything if not m.from_bot and m.kind == "text"]
        message = message or mine[-1]
        self.since = self.telegram.revision
        message.text, message.edit_date = text, self.telegram.now()
        self.telegram.updates.push({"edited_message": message.as_json()}, self.id)
        return message

    def blocks(self) -> None:
        self.blocked = True
        self.changes_membership("member", "kicked")

    def unblocks(self) -> None:
        self.blocked = False
        self.changes_membership("kicked", "member")

    def deletes_account(self) -> None:
        self.deactivated = True

    def changes_membership(self, old: str, new: str) -> None:
        self.telegram.push_membership(self, self.user, old, new)

    def presses(self, text: str, message: Message | None = None) -> Press:
        """A button by its label: inline ones first (newest message), then the reply keyboard."""
        candidates = [message] if message else reversed(self.messages)
        for shown in candidates:
            if not shown.deleted and (button := shown.inline_button(text)):
                return self.press_inline(button, shown)
        rows = (self.keyboard or {}).get("keyboard", []) if message is None else []
        for button in (button for row in rows for button in row):
            if label(button) == text:
                return self.press_reply(button)
        raise AssertionError(f"{self} sees no button {text!r}:\n{self.transcript()}")

    def press_inline(self, button: dict[str, Any], message: Message) -> Press:
        if url := button.get("url") or button.get("web_app", {}).get("url"):
            return Press(url=url)
        return self.presses_data(button["callback_data"], message)

    def presses_data(self, data: str, message: Message | None = None) -> Press:
        """A callback with any data, as from a keyboard that is no longer there, or a forged one."""
        assert not self.blocked, f"{self} has blocked the bot"
        self.since = self.telegram.revision
        return self.telegram.push_callback(self, message or self.last, data)

    def press_reply(self, button: dict[str, Any] | str) -> Press:
        if isinstance(button, str) or not button.keys() & {
            "request_contact",
            "request_location",
            "web_app",
        }:
            return Press(message=self.says(label(button)))
        if button.get("web_app"):
            return Press(url=button["web_app"]["url"])
        if button.get("request_location"):
            return Press(message=self.sends_location())
        asked = next(m for m in reversed(self.messages) if m.markup is self.keyboard)
        return Press(message=self.shares_contact(reply_to_message=asked.as_json()))

    def web_app_data(self, auth_date: int | None = None, **fields: str) -> str:
        """initData as a Mini App gets it, signed with the bot's token.

        https://core.telegram.org/bots/webapps#validating-data-received-via-the-mini-app
        """
        user = {key: value for key, value in self.user.items() if key != "is_bot"}
        data = {
            "auth_date": str(auth_date or self.telegram.now()),
            "user": json.dumps(user),
            **fields,
        }
        check = "\n".join(f"{key}={data[key]}" for key in sorted(data))
        secret = hmac.new(b"WebAppData", self.telegram.token.encode(), hashlib.sha256).digest()
        data["hash"] = hmac.new(secret, check.encode(), hashlib.sha256).hexdigest()
        return urlencode(data)

    # What a guest sees

    @property
    def fresh(self) -> list[Message]:
        """The bot's messages that came or changed since this guest last did something."""
        return [message for message in self.messages if message.revision > self.since]

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
        """The newest of at least `count` messages with this text in them, this button, this kind.

        `fresh` looks only at what came or changed since the guest's last action. Blocks the thread:
        in a coroutine `await guest.wait_for_async(…)`, with the same arguments.
        """
        found = self.finder(text, button, kind, fresh)
        self.await_count(found, count, timeout)
        return found()[-1]

    async def wait_for_async(
        self,
        *,
        text: str | None = None,
        button: str | None = None,
        kind: str | None = None,
        count: int = 1,
        fresh: bool = False,
        timeout: float = 5.0,
    ) -> Message:
        found = self.finder(text, button, kind, fresh)
        await asyncio.to_thread(self.await_count, found, count, timeout)
        return found()[-1]

    def finder(
        self, text: str | None, button: str | None, kind: str | None, fresh: bool
    ) -> Callable[[], list[Message]]:
        def fits(message: Message) -> bool:
            return (
                (text is None or text in message.text)
                and (button is None or button in message.buttons)
                and (kind is None or kind == message.kind)
            )

        return lambda: [m for m in (self.fresh if fresh else self.messages) if fits(m)]

    def await_count(self, found: Callable[[], list[Message]], count: int, timeout: float) -> None:
        try:
            self.telegram.wait_until(lambda: len(found()) >= count, timeout)
        except AssertionError:
            shown = self.transcript() or "(nothing)"
            raise AssertionError(f"not within {timeout:g} s; {self} sees:\n{shown}") from None


class Group(Chat):
    """A group that somebody adds the bot to."""

    def __init__(self, telegram: TelegramSimulator, id: int, title: str) -> None:
        super().__init__(telegram, id)
        self.title = title
        self.status = "left"

    def __str__(self) -> str:
        return f"{self.title} ({self.id})"

    def as_json(self) -> dict[str, Any]:
        return {"id": self.id, "title": self.title, "type": "supergroup"}

    def refusal(self) -> tuple[int, str] | None:
        if self.status == "kicked":
            return 403, "Forbidden: bot was kicked from the supergroup chat"
        if self.status == "left":
            known = bool(self.everything)
            reason = "Forbidden: bot is not a member of the supergroup chat"
            return (403, reason) if known else (400, "Bad Request: chat not found")
        return None

    def adds_bot(self, by: Guest) -> None:
        self.set_status(by.user, "member")
        self.write(by.user, "service", new_chat_members=[self.telegram.bot])

    def removes_bot(self, by: Guest) -> None:
        self.set_status(by.user, "kicked")

    def set_status(self, by: dict[str, Any], status: str) -> None:
        old, self.status = self.status, status
        self.telegram.push_membership(self, by, old, status)

    def says(self, guest: Guest, text: str) -> Message:
        assert self.status == "member", "the bot isn't in this group"
        return self.write(guest.user, "text", text)
