"""Taking a request apart: who sends it, under which key, what it says."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect, Request

from core.api.problems import Problem
from core.api.schemas import ID_LENGTH

MOST_BYTES = 1024 * 1024

T = TypeVar("T")


def bearer(request: Request) -> str:
    """The till's token; whether it is one, the transaction finds out."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthorized()
    return token.strip()


def unauthorized() -> Problem:
    return Problem(
        "unauthorized",
        "A till's token is needed: Authorization: Bearer … (`malva till add` prints one).",
        {"WWW-Authenticate": "Bearer"},
    )


def idempotency_key(request: Request) -> str:
    key = request.headers.get("idempotency-key", "")
    return _identifier(key, "The header Idempotency-Key")


def order_id(request: Request) -> str:
    return _identifier(request.path_params["order_id"], "The order's id")


def _identifier(text: str, what: str) -> str:
    if not 1 <= len(text) <= ID_LENGTH or not text.isprintable():
        raise Problem("invalid", f"{what} is needed: 1 to {ID_LENGTH} printable characters.")
    return text


async def read(request: Request, kind: TypeAdapter[T]) -> T:
    """The body as what it should be."""
    body = await _body(request)
    try:
        return kind.validate_json(body)
    except ValidationError as error:
        raise Problem("invalid", _sentence(error)) from None


async def _body(request: Request) -> bytes:
    """At most MOST_BYTES; more is not read to its end."""
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > MOST_BYTES:
                raise Problem("too_large", "A request is at most 1 MiB.", {"Connection": "close"})
            parts.append(part)
    except ClientDisconnect:
        raise Problem("invalid", "The request broke off.") from None
    return b"".join(parts)


def _sentence(error: ValidationError) -> str:
    """The first thing that is wrong, without repeating what was sent."""
    fault: Any = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in fault["loc"])[:100]
    if fault["type"] == "json_invalid":
        return "The body is no JSON document in UTF-8."
    return f"{where}: {fault['msg']}" if where else str(fault["msg"])
