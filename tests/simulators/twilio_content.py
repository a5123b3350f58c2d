"""Twilio's Content API: https://www.twilio.com/docs/content/content-api-resources"""

from __future__ import annotations

from typing import Any

from .twilio_guests import Message
from .twilio_rules import ApiError, check_content, check_shown, filled


class Contents:
    """What was created, by its SID. `refuses`: the API takes no new content."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, Any]] = {}
        self.approvals: dict[str, str] = {}
        self.refuses = False

    def create(self, document: Any, account_sid: str) -> dict[str, Any]:
        if self.refuses:
            raise ApiError(400, 20001, "content is not available to this account")
        try:
            check_content(document)
        except (KeyError, TypeError, AttributeError) as problem:
            raise ApiError(400, 20001, f"the simulator can't read this: {problem!r}") from None
        sid = f"HX{len(self.known) + 1:032x}"
        self.known[sid] = {"sid": sid, "account_sid": account_sid, **document}
        return self.known[sid]

    def template(self, body: str, *, status: str = "approved", language: str = "en") -> str:
        """A template made in the console; its SID."""
        types = {"twilio/text": {"body": body}}
        sid: str = self.create({"language": language, "types": types}, "AC")["sid"]
        self.approvals[sid] = status
        return sid

    def fetch(self, sid: str) -> dict[str, Any]:
        if sid not in self.known:
            raise ApiError(404, 20404)
        return self.known[sid]

    def approval(self, sid: str) -> dict[str, Any]:
        status = self.approvals.get(self.fetch(sid)["sid"], "unsubmitted")
        return {"sid": sid, "whatsapp": {"status": status, "category": "UTILITY"}}

    def delete(self, sid: str) -> None:
        self.fetch(sid)
        del self.known[sid]

    def show(self, message: Message) -> None:
        """The message as the content makes it."""
        if message.content_sid not in self.known:
            raise ApiError(400, 21655)
        types = self.known[message.content_sid]["types"]
        kind, shown = next(iter(types.items()))
        message.text = filled(shown["body"], message.variables)
        message.kind = kind.removeprefix("twilio/")
        if message.content_sid in self.approvals:
            message.kind = "template"
        options = shown.get("actions") or shown.get("items") or []
        message.buttons = [
            (filled(one.get("title") or one.get("item"), message.variables), one["id"])
            for one in options
        ]
        if message.buttons:
            check_shown(kind, message.text, message.labels)

    def approved(self, sid: str) -> bool:
        return self.approvals.get(sid) == "approved"
