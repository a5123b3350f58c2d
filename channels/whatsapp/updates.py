"""What Twilio's webhooks mean: https://www.twilio.com/docs/messaging/guides/webhook-request

An inbound message and the status of one of ours come to the same address, as forms. Fields are
added unannounced: what isn't asked for here is no matter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import malva
from channels.whatsapp.errors import CLOSED, GONE, RETRYABLE
from malva import Inbound, Receipt, Received, Sender

CHANNEL = "whatsapp:"
INBOUND = frozenset({"", "received", "receiving"})

STATUSES: dict[str, malva.MessageStatus] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "failed": "failed",
    "undelivered": "failed",
    "canceled": "failed",
}
"""https://www.twilio.com/docs/messaging/api/message-resource#message-status-values; what comes
before `sent` tells nothing new."""

_PHONE = re.compile(r"\+\d{6,15}", re.ASCII)
_STARTED = re.compile(r"(?i)\W*start(?:\s+([a-z0-9_-]{1,64}))?(?![\w-])", re.ASCII)
_NAMED = re.compile(r"(?<![\w-])(?:cafe|inv|link)_[A-Za-z0-9_-]{1,57}(?![\w-])", re.ASCII)
LONGEST_START = 200
"""Characters of the text that a join link fills in, with what a guest has added."""


def understand(form: Mapping[str, str]) -> Received | None:
    """What a guest did, or what became of a message; None for anything else. Raises Unreadable."""
    sid = form.get("MessageSid") or form.get("SmsSid") or form.get("SmsMessageSid")
    if not sid:
        raise malva.Unreadable("no MessageSid")
    status = (form.get("MessageStatus") or form.get("SmsStatus") or "").lower()
    if status not in INBOUND:
        return _receipt(sid, status, form.get("ErrorCode", ""))
    address = form.get("From", "")
    if not address.startswith(CHANNEL) or address == CHANNEL:
        return None  # an SMS, say, to the same number
    return Inbound(event_id=sid, sender=_sender(address, form), content=_content(form))


def _receipt(sid: str, status: str, error: str) -> Receipt | None:
    if status not in STATUSES:
        return None
    code = int(error) if error.isascii() and error.isdigit() else 0
    return Receipt(
        event_id=f"{sid}:{status}",
        provider_id=sid,
        status=STATUSES[status],
        error=f"Twilio: {code}" if code else None,
        retryable=code in RETRYABLE,
        contact_gone=code in GONE,
        window_closed=code == CLOSED,
    )


def _sender(address: str, form: Mapping[str, str]) -> Sender:
    """`From` is the address, whatever it is: who has a username there may have no number
    (`whatsapp:US.1349…`, ExternalUserId), and a number is proven only as the address itself."""
    number = address.removeprefix(CHANNEL)
    phone = number if _PHONE.fullmatch(number) else None
    return Sender(address, name=form.get("ProfileName", "").strip() or None, phone=phone)


def _content(form: Mapping[str, str]) -> malva.Content:
    if form.get("OptOutType", "").upper() == "STOP":  # Twilio lets nothing through any more
        return malva.Left()
    if pressed := form.get("ButtonPayload") or form.get("ListId"):
        return malva.Chose(pressed)
    if form.get("Latitude"):
        return malva.Unsupported("location")
    if form.get("NumMedia", "0") not in ("", "0"):
        return malva.Unsupported(form.get("MediaContentType0") or "media")
    text = form.get("Body") or form.get("ButtonText") or form.get("ListTitle") or ""
    if not text.strip():
        return malva.Unsupported(form.get("MessageType") or "nothing")
    return started(text) or malva.Said(text)


def started(text: str) -> malva.Started | None:
    """A join link's text (`start cafe_bife`), also where the guest has changed it before sending;
    None for anything else."""
    if len(text) > LONGEST_START:
        return None
    if named := _NAMED.search(text):
        return malva.Started(named[0])
    found = _STARTED.match(text)
    return malva.Started(found[1]) if found else None
