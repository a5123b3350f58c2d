"""What plugins.toml says of Octopos."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

import malva


class CafeSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    location_id: int


class Settings(malva.Settings):
    """auth_type      where a webhook's secret arrives: `token` in Authorization, bare or as Bearer;
                   `api` in the header that `api_key` names
    webhook_token  that secret with `token`; `api_value` with `api`
    api_header     what holds our token in calls, after `api_scheme`: the vendor declares neither
    country        whose phone numbers the reward cards write without their country (ISO 3166)
    """

    api_base: str
    email: str
    password: SecretStr
    auth_type: Literal["token", "api"] = "token"
    webhook_token: SecretStr | None = None
    api_key: str = "api_key"
    api_value: SecretStr | None = None
    api_header: str = "Authorization"
    api_scheme: str = "Bearer"
    country: str = Field(default="RS", pattern="^[A-Z]{2}$")
    poll_seconds: int = Field(default=30, ge=1)
    cafes: dict[str, CafeSettings]

    @model_validator(mode="after")
    def _has_its_secret(self) -> Settings:
        if not self._secret():
            needed = "webhook_token" if self.auth_type == "token" else "api_value"
            raise ValueError(f'auth_type = "{self.auth_type}" needs {needed}')
        return self

    def webhook_header(self) -> tuple[str, str]:
        """The header that a webhook has to bring, in lower case, and the secret in it."""
        name = "authorization" if self.auth_type == "token" else self.api_key.lower()
        return name, self._secret()

    def _secret(self) -> str:
        secret = self.webhook_token if self.auth_type == "token" else self.api_value
        return secret.get_secret_value() if secret else ""
