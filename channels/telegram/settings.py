"""What plugins.toml says of the bot."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Literal

from pydantic import SecretStr, field_validator

import malva


class Settings(malva.Settings):
    """`token` from @BotFather; `webhook_secret` for mode "webhook", made of the token if unset;
    `api_base` for a Bot API server of one's own."""

    token: SecretStr
    mode: Literal["polling", "webhook"] = "polling"
    webhook_secret: SecretStr | None = None
    api_base: str = "https://api.telegram.org"

    @field_validator("token")
    @classmethod
    def _as_botfather_writes_it(cls, token: SecretStr) -> SecretStr:
        if not re.fullmatch(r"\d+:[\w-]{20,}", token.get_secret_value(), re.ASCII):
            raise ValueError("is no bot token: @BotFather writes it as 123456:ABC-DEF…")
        return token

    @field_validator("webhook_secret")
    @classmethod
    def _as_telegram_takes_it(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret and not re.fullmatch(r"[\w-]{1,256}", secret.get_secret_value(), re.ASCII):
            raise ValueError("may hold A-Z, a-z, 0-9, _ and - only, 256 of them at most")
        return secret

    def secret(self) -> str:
        """What the webhook's requests carry: the same on every node, whether configured or not."""
        if self.webhook_secret is not None:
            return self.webhook_secret.get_secret_value()
        token = self.token.get_secret_value().encode()
        return hmac.new(token, b"malva webhook", hashlib.sha256).hexdigest()
