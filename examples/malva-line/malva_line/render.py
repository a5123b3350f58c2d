"""How a message looks on LINE: https://developers.line.biz/en/reference/messaging-api/#message-objects"""

from __future__ import annotations

from typing import Any

import malva
from malva import Outbound

TEXT = 2500
"""Characters of a message. LINE takes 5,000 and counts UTF-16 code units, of which a character has
two at most: https://developers.line.biz/en/docs/messaging-api/text-character-count/"""
QUICK_REPLIES, LABEL = 13, 20
"""https://developers.line.biz/en/reference/messaging-api/#quick-reply"""


def messages(message: Outbound) -> list[dict[str, Any]]:
    """What shows it, in order: the picture stands alone, links are written out, options are quick
    replies of the last; where a label is too long for one, they are numbered."""
    options = [option for row in message.options for option in row]
    if any(len(option.label) > LABEL for option in options):
        message, options = malva.numbered(message), []
    links = [f"{link.label}: {link.url}" for link in message.links]
    text = "\n\n".join(filter(None, [message.text, *links]))
    shown: list[dict[str, Any]] = []
    if message.picture is not None:
        url = message.picture.url
        shown.append({"type": "image", "originalContentUrl": url, "previewImageUrl": url})
    if text:
        shown += [{"type": "text", "text": part} for part in malva.split_text(text, TEXT)]
    if options:
        shown[-1]["quickReply"] = {"items": [_quick_reply(option) for option in options]}
    return shown


def _quick_reply(option: malva.Option) -> dict[str, Any]:
    """https://developers.line.biz/en/reference/messaging-api/#postback-action"""
    action = {"type": "postback", "data": option.value, "displayText": option.label}
    return {"type": "action", "action": {**action, "label": option.label}}
