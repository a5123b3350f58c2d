"""A provider that a plugin's tests describe in one function."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from core.testkit.simulator import Call, Simulator

Answer = tuple[int, Any] | tuple[int, Any, Mapping[str, str]]
"""An HTTP answer: its status, its body (bytes, or what becomes JSON), and headers if any."""


class Provider(Simulator):
    """`answers(call)` carries a call out and gives its Answer; it isn't asked where a fault stands
    in its place. A call's `name` is `POST /v1/messages`; `params` are the query and the body's
    fields (JSON or a form), `headers` and `body` are as they came."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: Callable[[Call], Answer] = lambda call: (200, {})

    async def read(self, request: web.Request) -> Call:
        body = await request.read()
        name = f"{request.method} {request.path}"
        params = {**request.query, **_fields(request.content_type, body)}
        return Call(name, params, dict(request.headers), body=body)

    async def answer(self, call: Call) -> web.Response:
        with self.lock:
            answer = self.answers(call)
        self.touch()
        status, body, headers = unpacked(answer)
        return web.Response(
            status=status, text=body, content_type="application/json", headers=headers
        )

    def error_body(self, status: int, description: str | None, retry_after: float | None) -> str:
        return json.dumps({"message": description or "error"})


def unpacked(answer: Answer) -> tuple[int, str, Mapping[str, str]]:
    """Status, text of the body, headers."""
    status, body, *more = answer
    text = body.decode() if isinstance(body, bytes) else json.dumps(body)
    return status, text, more[0] if more else {}


def _fields(content_type: str, body: bytes) -> dict[str, Any]:
    if content_type == "application/x-www-form-urlencoded":
        return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {"body": document}
