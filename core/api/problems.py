"""What goes wrong in the till API, and how it is told: `{"error": {"code", "message"}}`.

`code` is stable and for programs, `message` for a person. Each code has one HTTP status.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from core.services.errors import Locked, Refusal
from core.storage.database import UNAVAILABLE

log = logging.getLogger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]

STATUSES = {
    "invalid": 400,
    "unauthorized": 401,
    "not_found": 404,
    "unknown_code": 404,
    "unknown_order": 404,
    "unknown_redemption": 404,
    "unknown_reward": 404,
    "unknown_visit": 404,
    "method_not_allowed": 405,
    "already_claimed": 409,
    "already_confirmed": 409,
    "ambiguous": 409,
    "awaiting_guest": 409,
    "code_used": 409,
    "conflict": 409,
    "insufficient": 409,
    "not_available": 409,
    "too_much": 409,
    "cancelled": 410,
    "expired": 410,
    "too_late": 410,
    "too_large": 413,
    "wrong_currency": 422,
    "wrong_kind": 422,
    "locked": 429,
    "internal": 500,
    "unavailable": 503,
}


class Problem(Exception):
    """A request that can't be carried out; `code` is one of STATUSES."""

    def __init__(self, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.headers = headers


class Json(Response):
    """Whatever orjson writes; dataclasses too."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


def told(code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return Json({"error": {"code": code, "message": message}}, STATUSES[code], headers)


async def of_problem(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return told(problem.code, str(problem), problem.headers)


async def of_refusal(request: Request, refusal: Exception) -> Response:
    """A service's refusal; for how long to wait goes into the header too."""
    assert isinstance(refusal, Refusal)
    headers = None
    if isinstance(refusal, Locked):
        headers = {"Retry-After": str(refusal.retry_after)}
    return told(refusal.code, str(refusal), headers)


async def of_routing(request: Request, error: Exception) -> Response:
    """No such address, or another method than it has."""
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "")
        return told("method_not_allowed", f"This address takes {allowed}.", error.headers)
    return told("not_found", "There is nothing at this address.")


async def of_failure(request: Request, error: Exception) -> Response:
    """A fault of ours; it is logged by who serves us."""
    return told("internal", "Something went wrong here. The same request may be sent again.")


async def of_absence(request: Request, error: Exception) -> Response:
    """The database is away. Whether what was asked is done, only the same request again can say."""
    log.warning("till API: the database is away: %s", type(error).__name__)
    away = "The database is away. Send the same request again."
    return told("unavailable", away, {"Retry-After": "5"})


def answering(endpoint: Endpoint) -> Endpoint:
    """An endpoint outside the API's application, with the same answers to what goes wrong."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Problem as problem:
            return await of_problem(request, problem)
        except Refusal as refusal:
            return await of_refusal(request, refusal)
        except UNAVAILABLE as error:
            return await of_absence(request, error)
        except Exception as error:
            log.exception("till API: %s", request.url.path)
            return await of_failure(request, error)

    return answer


HANDLERS: Mapping[Any, Any] = {
    **dict.fromkeys(UNAVAILABLE, of_absence),
    Problem: of_problem,
    Refusal: of_refusal,
    HTTPException: of_routing,
    Exception: of_failure,
}
