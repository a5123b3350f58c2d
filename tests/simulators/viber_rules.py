"""What Viber takes, and how it words what it doesn't:
https://developers.viber.com/docs/api/rest-bot-api/ and https://developers.viber.com/docs/tools/keyboards/
"""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlsplit

REQUEST = 30_000
TEXT, CAPTION, SENDER, LABEL = 7000, 512, 28, 250
COLUMNS, ROWS_OF_A_BUTTON, ROWS = 6, 2, 12
LARGEST_PICTURE = 1_000_000
UNANSWERED = 100
"""Messages in an hour to a guest who says nothing."""

STATUSES = {
    0: "ok",
    1: "invalidUrl",
    2: "invalidAuthToken",
    3: "badData",
    4: "missingData",
    5: "receiverNotRegistered",
    6: "receiverNotSubscribed",
    7: "publicAccountBlocked",
    8: "publicAccountNotFound",
    9: "publicAccountSuspended",
    10: "webhookNotSet",
    11: "receiverNoSuitableDevice",
    12: "tooManyRequests",
    13: "apiVersionNotSupported",
    14: "incompatibleWithVersion",
    15: "publicAccountNotAuthorized",
    23: "freeMessagesExceeded",
    24: "noBalance",
    99: "generalError",
}
"""https://developers.viber.com/docs/api/rest-bot-api/#error-codes"""

ACTIONS = {"reply", "open-url", "location-picker", "share-phone", "none"}
SINCE_3 = {"location-picker", "share-phone"}
PICTURES = (".jpeg", ".jpg", ".png", ".gif")
MARKUP = re.compile(r"</?(b|i|u|s|br|font)(\s[^<>]*)?/?>", re.IGNORECASE)


class ApiError(Exception):
    """A status that is not 0; the HTTP status of such an answer is 200 all the same."""

    def __init__(self, status: int, why: str = "") -> None:
        super().__init__(why or STATUSES.get(status, "generalError"))
        self.status = status

    def body(self) -> dict[str, Any]:
        return {"status": self.status, "status_message": str(self), "chat_hostname": "SN-CHAT-01_"}


def check_message(document: dict[str, Any]) -> None:
    """A message of send_message, or one in the response to conversation_started."""
    sender = document.get("sender")
    name = sender.get("name") if isinstance(sender, dict) else None
    if not name:
        raise ApiError(4, "sender.name is missing")
    if len(name) > SENDER:
        raise ApiError(3, "sender.name is too long")
    kind = document.get("type")
    if kind == "text":
        _check_text(document.get("text"), TEXT, required=True)
    elif kind == "picture":
        _check_text(document.get("text"), CAPTION, required=False)
        _check_picture(document.get("media"))
    else:
        raise ApiError(3, f"this simulator knows no message of type {kind!r}")
    if "keyboard" in document:
        check_keyboard(document["keyboard"], document.get("min_api_version", 1))


def _check_text(text: Any, longest: int, *, required: bool) -> None:
    if text is None or (required and not text):
        raise ApiError(4, "text is missing")
    if not isinstance(text, str) or len(text) > longest:
        raise ApiError(3, f"text has at most {longest} characters")


def _check_picture(media: Any) -> None:
    if not media:
        raise ApiError(4, "media is missing")
    address = urlsplit(media)
    if address.scheme not in ("http", "https") or not address.path.lower().endswith(PICTURES):
        raise ApiError(3, "media is no address that ends as a picture's name does")


def check_keyboard(keyboard: Any, api_version: int) -> None:
    if not isinstance(keyboard, dict) or keyboard.get("Type") != "keyboard":
        raise ApiError(
            3, 'keyboard is not valid. [object has missing required properties (["Type"])]'
        )
    buttons = keyboard.get("Buttons")
    if not isinstance(buttons, list) or not buttons:
        raise ApiError(3, "keyboard without buttons")
    for button in buttons:
        _check_button(button, api_version)


def _check_button(button: dict[str, Any], api_version: int) -> None:
    if not 1 <= button.get("Columns", 6) <= COLUMNS:
        raise ApiError(3, f"Columns: 1 to {COLUMNS}")
    if not 1 <= button.get("Rows", 1) <= ROWS_OF_A_BUTTON:
        raise ApiError(3, f"Rows: 1 to {ROWS_OF_A_BUTTON}")
    action = button.get("ActionType", "reply")
    if action not in ACTIONS:
        raise ApiError(3, f"no such ActionType: {action}")
    if action in SINCE_3 and api_version < 3:
        raise ApiError(14)
    if not button.get("ActionBody"):
        raise ApiError(4, "ActionBody is missing")
    if action == "open-url" and urlsplit(button["ActionBody"]).scheme not in ("http", "https"):
        raise ApiError(3, "ActionBody is no address")


def rows(keyboard: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The buttons as they flow, each into the gap that the last has left."""
    laid_out: list[list[dict[str, Any]]] = []
    room = 0
    for button in keyboard["Buttons"]:
        columns = button.get("Columns", 6)
        if columns > room:
            laid_out.append([])
            room = COLUMNS
        laid_out[-1].append(button)
        room -= columns
    return laid_out


def shown(text: str) -> str:
    """A button's text as it is seen: HTML."""
    plain = html.unescape(MARKUP.sub("", text))
    return plain if len(plain) <= LABEL else plain[: LABEL - 1] + "…"
