"""What Twilio accepts, and how it words what it doesn't: https://www.twilio.com/docs/api/errors"""

from __future__ import annotations

import json
import re
from typing import Any

BODY, CONTENT_BODY = 1600, 1024
QUICK_REPLIES_IN_SESSION, QUICK_REPLY = 3, 20
LIST_ITEMS, LIST_ITEM, LIST_BUTTON = 10, 24, 20
VARIABLE = re.compile(r"\{\{(\w+)\}\}")
ADDRESS = re.compile(r"whatsapp:(\+\d{6,15}|[A-Z]{2}\.[A-Za-z0-9.]{1,128})", re.ASCII)

SAID = {
    20003: "Authenticate",
    20404: "The requested resource was not found",
    20429: "Too Many Requests",
    20500: "An internal server error has occurred",
    21211: "Invalid 'To' Phone Number",
    21603: "A 'From' phone number is required",
    21604: "A 'To' phone number is required",
    21609: "The 'StatusCallback' URL is not a valid URL",
    21610: "Attempt to send to unsubscribed recipient",
    21617: "The concatenated message body exceeds the 1600 character limit",
    21619: "A text message body or media urls must be specified",
    21655: "The ContentSid is Invalid",
    21656: "The Content Variables parameter is invalid",
    63003: "Channel could not find To address",
    63007: "Twilio could not find a Channel with the specified From address",
    63013: "Channel policy violation: the content does not fit what the channel takes",
    63016: "Outside messaging window. For WhatsApp, use a Message Template instead",
    63018: "Rate limit exceeded for Channel",
    63019: "Media failed to download",
}


class ApiError(Exception):
    """Twilio's error JSON: https://www.twilio.com/docs/usage/twilios-response"""

    def __init__(self, status: int, code: int, message: str = "") -> None:
        super().__init__(message or SAID.get(code, "Error"))
        self.status = status
        self.code = code

    def body(self) -> dict[str, Any]:
        return error_body(self.status, self.code, str(self))


def error_body(status: int, code: int, message: str) -> dict[str, Any]:
    more_info = f"https://www.twilio.com/docs/errors/{code}"
    return {"code": code, "message": message, "more_info": more_info, "status": status}


def check_message(fields: dict[str, str], sender: str) -> None:
    """https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource"""
    if not fields.get("To"):
        raise ApiError(400, 21604)
    if not fields.get("From"):
        raise ApiError(400, 21603)
    if fields["From"] != sender:
        raise ApiError(400, 63007)
    if not ADDRESS.fullmatch(fields["To"]):
        raise ApiError(400, 21211, f"Invalid 'To' Phone Number: {fields['To']}")
    if not any(fields.get(name) for name in ("Body", "MediaUrl", "ContentSid")):
        raise ApiError(400, 21619)
    if len(fields.get("Body", "")) > BODY:
        raise ApiError(400, 21617)
    callback = fields.get("StatusCallback")
    if callback and not re.match(r"https?://[^_/]+/", callback):
        raise ApiError(400, 21609)


def read_variables(text: str) -> dict[str, str]:
    """ContentVariables: https://www.twilio.com/docs/api/errors/21656"""
    try:
        variables = json.loads(text or "{}")
    except ValueError:
        raise ApiError(400, 21656) from None
    if not isinstance(variables, dict):
        raise ApiError(400, 21656)
    for name, value in variables.items():
        if not isinstance(value, str) or not value or len(name) > 16 or len(value) > BODY:
            raise ApiError(400, 21656)
    return variables


def filled(text: str, variables: dict[str, str]) -> str:
    return VARIABLE.sub(lambda found: variables.get(found[1], found[0]), text)


def check_content(document: Any) -> None:
    """https://www.twilio.com/docs/content/content-api-resources#create-templates"""
    types = document.get("types") if isinstance(document, dict) else None
    if not isinstance(types, dict) or not types or not document.get("language"):
        raise ApiError(400, 20001, "types and language are required")
    if quick := types.get("twilio/quick-reply"):
        labels = [action["title"] for action in quick["actions"]]
        ids = [action["id"] for action in quick["actions"]]
        most, longest = 10, QUICK_REPLY
    elif picker := types.get("twilio/list-picker"):
        labels = [item["item"] for item in picker["items"]]
        ids = [item["id"] for item in picker["items"]]
        most, longest = LIST_ITEMS, LIST_ITEM
        if not 0 < len(picker["button"]) <= LIST_BUTTON:
            raise ApiError(400, 20001, "button: 1 to 20 characters")
    else:
        return
    if not 0 < len(labels) <= most or len(set(ids)) < len(ids) or not all(labels):
        raise ApiError(400, 20001, f"1 to {most} options with ids of their own")
    if any(len(label) > longest for label in labels):
        raise ApiError(400, 20001, f"a label has at most {longest} characters")


def check_shown(kind: str, body: str, labels: list[str]) -> None:
    """What WhatsApp itself refuses, once the variables are in: the message fails with 63013."""
    if len(body) > CONTENT_BODY or not body:
        raise ApiError(400, 63013)
    most, longest = (
        (QUICK_REPLIES_IN_SESSION, QUICK_REPLY)
        if kind == "twilio/quick-reply"
        else (LIST_ITEMS, LIST_ITEM)
    )
    if len(labels) > most or any(len(label) > longest for label in labels):
        raise ApiError(400, 63013)
