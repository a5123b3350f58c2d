"""What plugins.toml says of the Viber bot."""

from __future__ import annotations

import re

from pydantic import Field, SecretStr, field_validator

import malva


class Settings(malva.Settings):
    """`token` from the bot's settings in the Viber app, `sender_name` stands above its messages;
    `api_base` for a proxy or a test."""

    token: SecretStr
    sender_name: str = Field(min_length=1, max_length=28)
    api_base: str = "https://chatapi.viber.com/pa"

    @field_validator("token")
    @classmethod
    def _as_a_header_takes_it(cls, token: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[!-~]+", token.get_secret_value()):
            raise ValueError("is no bot's token: Viber writes it as 445da6az1s345z78-dazcczb2542…")
        return token
