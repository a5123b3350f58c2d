"""aiogram's calls over Malva's one HTTP client, which tells nobody the token."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Literal, cast

import orjson
from aiogram.client.session.base import BaseSession
from aiogram.client.telegram import TelegramAPIServer
from pydantic import BaseModel, ValidationError

import malva
from channels.telegram.lean import Bot, exceptions, methods, types

SECONDS = 10
"""How long a call may take, unless it says otherwise."""


class _Shown(BaseModel):
    """Of a message that comes back, what is read: it is a tenth of the work."""

    message_id: int


class _Taken(BaseModel):
    ok: Literal[True]
    result: _Shown


def loads(text: bytes | str) -> Any:
    """JSON; half surrogates, which no database takes, become question marks. ValueError if none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return orjson.loads(_without_halves(text))


def _without_halves(text: bytes | str) -> bytes:
    try:
        return json.dumps(json.loads(text), ensure_ascii=False).encode(errors="replace")
    except RecursionError:
        raise ValueError("nested too deep") from None


class Session(BaseSession):
    """Raises what aiogram raises for an answer, and OSError (TimeoutError too) where there is
    none: ConnectionRefusedError if the call can't have been carried out."""

    def __init__(self, http: malva.Http, api_base: str) -> None:
        super().__init__(
            api=TelegramAPIServer.from_base(api_base),
            json_loads=loads,
            json_dumps=lambda value: orjson.dumps(value).decode(),
            timeout=SECONDS,
        )
        self._http = http

    async def make_request(
        self, bot: Bot, method: methods.TelegramMethod[Any], timeout: int | None = None
    ) -> Any:
        headers, body = self._request(bot, method)
        answer = await self._http.request(
            "POST",
            self.api.api_url(token=bot.token, method=method.__api_method__),
            headers=headers,
            data=body,
            timeout=timeout or self.timeout,
        )
        if answer.status == HTTPStatus.OK and method.__returning__ is types.Message:
            with suppress(ValidationError):
                return _Taken.model_validate_json(answer.body).result
        try:
            read = self.check_response(bot, method, answer.status, cast(str, answer.body))
        except TypeError as error:  # an error without a description
            raise exceptions.ClientDecodeError("no description", error, answer.status) from None
        return read.result

    def _request(
        self, bot: Bot, method: methods.TelegramMethod[Any]
    ) -> tuple[Mapping[str, str], Mapping[str, str] | bytes]:
        """Header and body: a form, of parts where there is a picture to upload. Of the ways that
        https://core.telegram.org/bots/api#making-requests has, aiogram's."""
        if not hasattr(method, "photo") and not hasattr(method, "media"):
            given = method.model_dump(exclude_unset=True, exclude_none=True, warnings=False)
            return {}, {
                k: v if isinstance(v, str) else self.json_dumps(v) for k, v in given.items()
            }
        files: dict[str, types.BufferedInputFile] = {}
        given = method.model_dump(warnings=False, exclude_none=True)
        prepared = {
            name: self.prepare_value(value, bot=bot, files=files) for name, value in given.items()
        }
        return _multipart({name: value for name, value in prepared.items() if value}, files)

    async def close(self) -> None:
        """The client is the gateway's."""

    def stream_content(self, *args: Any, **options: Any) -> AsyncGenerator[bytes, None]:
        raise NotImplementedError("nothing is downloaded from Telegram")


def _multipart(
    fields: Mapping[str, str], files: Mapping[str, types.BufferedInputFile]
) -> tuple[dict[str, str], bytes]:
    """multipart/form-data (RFC 7578): its header, and the body."""
    boundary = secrets.token_hex(16)
    parts = []
    for name, value in fields.items():
        parts.append((f'name="{name}"', value.encode()))
    for name, file in files.items():
        parts.append((f'name="{name}"; filename="{file.filename}"', file.data))
    body = b"".join(
        b"--%b\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n"
        % (boundary.encode(), what.encode(), content)
        for what, content in parts
    )
    header = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return header, body + f"--{boundary}--\r\n".encode()
