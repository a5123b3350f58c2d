"""What a message in a chat looks like now, and what pressing a button did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .telegram_chats import Chat


@dataclass
class Message:
    """A message as it looks now. `text` is what a person reads: the text, or a photo's caption."""

    id: int
    chat: Chat
    sender: dict[str, Any]
    kind: str
    date: int
    text: str = ""
    entities: list[dict[str, Any]] = field(default_factory=list)
    photo: bytes | None = None
    content: dict[str, Any] = field(default_factory=dict)
    markup: dict[str, Any] | None = None
    silent: bool = False
    edit_date: int | None = None
    edits: int = 0
    deleted: bool = False
    revision: int = 0

    @property
    def from_bot(self) -> bool:
        return bool(self.sender["is_bot"])

    @property
    def caption(self) -> str | None:
        return None if self.kind == "text" else self.text

    @property
    def rows(self) -> list[list[str]]:
        """The labels of its keyboard, row by row: an inline one, or the one it brought."""
        markup = self.markup or {}
        rows = markup.get("inline_keyboard") or markup.get("keyboard") or []
        return [[label(button) for button in row] for row in rows]

    @property
    def buttons(self) -> list[str]:
        return [label for row in self.rows for label in row]

    @property
    def links(self) -> dict[str, str]:
        """Where its buttons (by their label) and linked words lead to."""
        found = {}
        for entity in self.entities:
            if entity["type"] == "text_link":
                found[self.covered(entity)] = entity["url"]
        for row in (self.markup or {}).get("inline_keyboard") or []:
            for button in row:
                if url := button.get("url") or button.get("web_app", {}).get("url"):
                    found[button["text"]] = url
        return found

    def covered(self, entity: dict[str, Any]) -> str:
        units = self.text.encode("utf-16-le")
        start, end = entity["offset"] * 2, (entity["offset"] + entity["length"]) * 2
        return units[start:end].decode("utf-16-le")

    def inline_button(self, text: str) -> dict[str, Any] | None:
        rows = (self.markup or {}).get("inline_keyboard") or []
        return next((b for row in rows for b in row if b["text"] == text), None)

    def as_json(self) -> dict[str, Any]:
        """https://core.telegram.org/bots/api#message"""
        found = {
            "message_id": self.id,
            "from": self.sender,
            "chat": self.chat.as_json(),
            "date": self.date,
            **self.content,
        }
        if self.edit_date:
            found["edit_date"] = self.edit_date
        kind = "" if self.kind == "text" else "caption"
        if self.text:
            found[kind or "text"] = self.text
        if self.entities:
            found[f"{kind}_entities".lstrip("_")] = self.entities
        if self.markup and "inline_keyboard" in self.markup:
            found["reply_markup"] = self.markup
        return found

    def __str__(self) -> str:
        who = "bot" if self.from_bot else self.sender["first_name"]
        shown = "".join(f" {row}" for row in self.rows)
        return f"[{self.id}] {who}, {self.kind}: {self.text!r}{shown}{' deleted' * self.deleted}"


def label(button: dict[str, Any] | str) -> str:
    return button if isinstance(button, str) else button["text"]


@dataclass
class Press:
    """What a button did: a `query` (with the bot's `answer`), a `message`, or a `url` to open."""

    query: str | None = None
    answer: dict[str, Any] | None = None
    message: Message | None = None
    url: str | None = None
    at: float = 0.0
