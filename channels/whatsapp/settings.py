"""What plugins.toml says of the WhatsApp sender at Twilio."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

import malva


def _account(sid: str) -> str:
    if not re.fullmatch(r"AC\w{4,}", sid, re.ASCII):
        raise ValueError("is no account's SID: it begins with AC, at the top of Twilio's console")
    return sid


def _sender(address: str) -> str:
    if not re.fullmatch(r"whatsapp:\+\d{6,15}", address, re.ASCII):
        raise ValueError('is written "whatsapp:+381600000000"')
    return address


def _template(sid: str) -> str:
    if not sid.startswith("HX"):
        raise ValueError("is no template's Content SID: it begins with HX")
    return sid


Template = Annotated[str, AfterValidator(_template)]


class Settings(malva.Settings):
    """`account_sid` and `auth_token` from Twilio's console, `from` the sender's address;
    `templates` the approved ones, by message kind and language; the bases for a proxy or a test."""

    account_sid: Annotated[str, AfterValidator(_account)]
    auth_token: SecretStr
    sender: Annotated[str, AfterValidator(_sender)] = Field(alias="from")
    api_base: str = "https://api.twilio.com"
    content_base: str = "https://content.twilio.com"
    templates: Mapping[str, Mapping[str, Template]] = Field(default_factory=dict)

    def template(self, message: malva.Outbound) -> str | None:
        """The Content SID of what may be sent outside the window in place of `message`."""
        return self.templates.get(message.kind, {}).get(message.language)
