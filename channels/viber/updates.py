"""What Viber's events mean: https://developers.viber.com/docs/api/rest-bot-api/#callbacks

They are read here and not by Viber's library: its classes believe every type, refuse a kind of
message that is new to them, and leave out a contact's text, which is what tells the guest's own
number from a forwarded one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import malva
from channels.viber.render import PRESSED, SHARED
from malva import Inbound, Receipt, Received, Sender

STATUSES: dict[str, malva.MessageStatus] = {
    "delivered": "delivered",
    "seen": "read",
    "failed": "failed",
}
LATEST = 1 << 43
"""Milliseconds: a timestamp beyond the year 2248 is none."""

_ID = re.compile(r"[!-~]{1,128}")
_TOKEN = re.compile(r"[0-9]{1,20}")

SignedFor = Callable[[str], str | None]


def understand(document: Mapping[str, Any], site: str, signed_for: SignedFor) -> Received | None:
    """What a guest did, or what became of a message; None for anything else. `site` is the address
    that ours begin with, `signed_for` whose number a text of ours asked for. Raises Unreadable."""
    match document.get("event"):
        case "message":
            sender = _sender(document.get("sender"))
            content = _content(document.get("message"), sender.address, site, signed_for)
            return None if content is None else _inbound(document, sender, content)
        case "conversation_started":
            content = malva.Started(_text(document.get("context")))
            # to who is subscribed everything is sent, in its order; to anybody else one message
            # may be said, and that in the response
            inline = document.get("subscribed") is not True
            return _inbound(document, _sender(document.get("user")), content, inline)
        case "subscribed":
            return _inbound(document, _sender(document.get("user")), malva.Returned())
        case "unsubscribed":
            return _inbound(document, Sender(_id(document.get("user_id"))), malva.Left())
        case str(event) if event in STATUSES:
            return _receipt(document, event)
    return None  # `webhook`, `client_status`, and what is new


def _inbound(
    document: Mapping[str, Any], sender: Sender, content: malva.Content, inline: bool = False
) -> Inbound:
    return Inbound(
        event_id=f"{document['event']}:{_token(document)}:{sender.address}",
        sender=sender,
        content=content,
        sent_at=_moment(document.get("timestamp")),
        reply_inline=inline,
    )


def _receipt(document: Mapping[str, Any], event: str) -> Receipt:
    token = _token(document)
    why = _text(document.get("desc")) or "no reason given"
    return Receipt(
        event_id=f"{event}:{token}:{_id(document.get('user_id'))}",
        provider_id=token,
        status=STATUSES[event],
        error=f"Viber: {why[:200]}" if event == "failed" else None,
    )


def _content(message: Any, address: str, site: str, signed_for: SignedFor) -> malva.Content | None:
    """None: the echo of a link that was opened."""
    if not isinstance(message, dict):
        raise malva.Unreadable("a message that is none", tolerate=True)
    kind, text = _text(message.get("type")) or "nothing", _text(message.get("text"))
    if kind == "contact":
        return _contact(message.get("contact"), text or "", address, signed_for)
    if kind != "text" or text is None:
        return malva.Unsupported(kind)
    if text.startswith(PRESSED):
        return malva.Chose(text.removeprefix(PRESSED))
    if text.startswith(SHARED):  # on a computer, which has no number to share
        return malva.Unsupported("share-phone without a number")
    return None if text.startswith(site) and len(text.split()) == 1 else malva.Said(text)


def _contact(
    contact: Any, text: str, address: str, signed_for: SignedFor
) -> malva.SharedPhone | malva.Unsupported:
    """A contact is the guest's own only if it answers the button that asked this very guest for
    their number, and brings that button's words: one from the address book has none, a forwarded
    one somebody else's."""
    phone = _text(contact.get("phone_number")) if isinstance(contact, dict) else None
    if phone is None:
        return malva.Unsupported("contact")
    own = text.startswith(SHARED) and signed_for(text.removeprefix(SHARED)) == address
    return malva.SharedPhone("+" + phone.lstrip("+"), own)


def _sender(user: Any) -> Sender:
    if not isinstance(user, dict):
        raise malva.Unreadable("an event of nobody", tolerate=True)
    return Sender(_id(user.get("id")), _text(user.get("name")), _text(user.get("language")))


def _id(value: Any) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise malva.Unreadable("an event of nobody", tolerate=True)
    return value


def _token(document: Mapping[str, Any]) -> str:
    """What tells one event from another; older documents know none for some."""
    token = document.get("message_token") or document.get("timestamp")
    if not isinstance(token, int | str) or not _TOKEN.fullmatch(str(token)):
        raise malva.Unreadable("an event without message_token", tolerate=True)
    return str(token)


def _text(value: Any) -> str | None:
    """A text that can be stored: half surrogates become question marks."""
    if not isinstance(value, str) or not value.strip():
        return None
    return value.encode(errors="replace").decode()


def _moment(milliseconds: Any) -> datetime | None:
    if type(milliseconds) is not int or not 0 < milliseconds < LATEST:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
