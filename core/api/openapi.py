"""The OpenAPI 3.1 document of the till API, made from the models that read the requests."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from core.api import schemas
from core.services.counter import Confirmed, Ended, Picked
from core.services.identify import Identified

VERSION = "1.0"

_REF = "#/components/schemas/{model}"

_TOKEN_CODES = {401: ("unauthorized",)}
_BODY_CODES = {400: ("invalid",), 413: ("too_large",), **_TOKEN_CODES}

_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "The same key with the same data is the same request: it counts once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": schemas.ID_LENGTH},
}
_ORDER_ID = {
    "name": "order_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": schemas.ID_LENGTH},
}
_REDEMPTION_ID = {
    "name": "redemption_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": schemas.ID_LENGTH},
}
_LANGUAGE = {
    "name": "Accept-Language",
    "in": "header",
    "required": False,
    "description": "The language of the rewards' names; without it, the guest's own.",
    "schema": {"type": "string"},
}
_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds until the till may ask again.",
        "schema": {"type": "integer"},
    }
}


@cache
def document() -> dict[str, Any]:
    models = _components()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Malva till API",
            "version": VERSION,
            "description": "Identify guests, report orders and refunds, give rewards. Money is"
            " decimal text in major units, times are RFC 3339, ids are strings.",
        },
        "servers": [{"url": "/"}],
        "security": [{"till": []}],
        "paths": _paths(),
        "components": {
            "schemas": models,
            "securitySchemes": {
                "till": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The till's token, as `malva till add` printed it.",
                }
            },
        },
    }


def _components() -> dict[str, Any]:
    wanted: list[tuple[Any, Any, TypeAdapter[Any]]] = [
        (model, "validation", TypeAdapter(model))
        for model in (
            schemas.Identify,
            schemas.Order,
            schemas.Refund,
            schemas.Claim,
            schemas.Redeem,
        )
    ]
    wanted += [
        (model, "serialization", TypeAdapter(model))
        for model in (
            Identified,
            schemas.OrderAnswer,
            schemas.RefundAnswer,
            Picked,
            Confirmed,
            Ended,
            schemas.Failed,
        )
    ]
    _, definitions = TypeAdapter.json_schemas(wanted, ref_template=_REF)
    return dict(definitions["$defs"])


def _paths() -> dict[str, Any]:
    return {
        "/api/v1/identify": {"post": _identify()},
        "/api/v1/orders": {"post": _count_order()},
        "/api/v1/orders/{order_id}/refunds": {"post": _refund_order()},
        "/api/v1/orders/{order_id}/claim": {"post": _claim_order()},
        "/api/v1/redemptions": {"post": _redeem()},
        "/api/v1/redemptions/{redemption_id}/confirm": {"post": _confirm()},
        "/api/v1/redemptions/{redemption_id}/cancel": {"post": _cancel()},
        "/api/v1/openapi.json": {"get": _describe()},
    }


def _identify() -> dict[str, Any]:
    return _operation(
        "identify",
        "Who stands at the till; opens the till's visit.",
        "Identify",
        {200: ("Identified", "The guest, and the visit that is theirs from now on.")},
        {
            404: ("unknown_code",),
            409: ("ambiguous", "code_used"),
            422: ("wrong_kind",),
            429: ("locked",),
        },
        [_LANGUAGE],
    )


def _count_order() -> dict[str, Any]:
    return _operation(
        "countOrder",
        "An order was paid.",
        "Order",
        {
            201: ("OrderAnswer", "Counted."),
            200: ("OrderAnswer", "It was counted before; this is what was said then."),
        },
        {
            404: ("unknown_visit", "unknown_redemption"),
            409: ("conflict",),
            422: ("wrong_currency",),
        },
        [_KEY],
    )


def _refund_order() -> dict[str, Any]:
    return _operation(
        "refundOrder",
        "Part of an order, or all that is left of it, was given back.",
        "Refund",
        {
            201: ("RefundAnswer", "The points it had given are taken back."),
            202: ("RefundAnswer", "Parked: its order isn't known yet."),
            200: ("RefundAnswer", "It was taken before; this is what was said then."),
        },
        {409: ("conflict", "too_much")},
        [_ORDER_ID, _KEY],
    )


def _claim_order() -> dict[str, Any]:
    return _operation(
        "claimOrder",
        "An order that is nobody's finds its guest, within 48 hours.",
        "Claim",
        {
            201: ("OrderAnswer", "Claimed."),
            200: ("OrderAnswer", "It was this guest's already."),
        },
        {
            404: ("unknown_order", "unknown_visit"),
            409: ("already_claimed",),
            410: ("too_late",),
        },
        [_ORDER_ID],
    )


def _redeem() -> dict[str, Any]:
    return _operation(
        "redeem",
        "What the guest picked, or what the till starts for them. Nothing is taken yet.",
        "Redeem",
        {
            200: ("Picked", "What the guest picked; it opens the till's visit."),
            201: ("Picked", "Started by the till."),
        },
        {
            404: ("unknown_code", "unknown_redemption", "unknown_visit", "unknown_reward"),
            409: ("already_confirmed", "insufficient", "not_available"),
            410: ("cancelled", "expired"),
            422: ("wrong_kind",),
            429: ("locked",),
        },
        [_LANGUAGE],
    )


def _confirm() -> dict[str, Any]:
    return _operation(
        "confirmRedemption",
        "The rewards are given: the points are taken.",
        None,
        {200: ("Confirmed", "Taken. The same key again gets the same answer.")},
        {
            400: ("invalid",),
            404: ("unknown_redemption",),
            409: ("already_confirmed", "awaiting_guest", "conflict", "insufficient"),
            410: ("cancelled", "expired"),
        },
        [_REDEMPTION_ID, _KEY, _LANGUAGE],
    )


def _cancel() -> dict[str, Any]:
    return _operation(
        "cancelRedemption",
        "The rewards are not given: the points are free again.",
        None,
        {200: ("Ended", "Cancelled, now or before.")},
        {404: ("unknown_redemption",), 409: ("already_confirmed",), 410: ("expired",)},
        [_REDEMPTION_ID],
    )


def _describe() -> dict[str, Any]:
    return {
        "operationId": "describe",
        "summary": "This document.",
        "security": [],
        "responses": {"200": {"description": "OpenAPI 3.1.", **_content({"type": "object"})}},
    }


def _operation(
    name: str,
    summary: str,
    body: str | None,
    answers: dict[int, tuple[str, str]],
    refusals: dict[int, tuple[str, ...]],
    parameters: list[dict[str, Any]],
) -> dict[str, Any]:
    """`answers`: status → model, meaning; `refusals`: status → the codes that it comes with."""
    responses = {
        str(status): {"description": meaning, **_content(_reference(model))}
        for status, (model, meaning) in answers.items()
    }
    always: Mapping[int, tuple[str, ...]] = _TOKEN_CODES if body is None else _BODY_CODES
    for status, codes in sorted({**always, **refusals}.items()):
        responses[str(status)] = {
            "description": " · ".join(f"`{code}`" for code in codes),
            **_content(_reference("Failed")),
            **({"headers": _RETRY_AFTER} if status == 429 else {}),
        }
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        "responses": responses,
    }
    if body is not None:
        operation["requestBody"] = {"required": True, **_content(_reference(body))}
    return operation


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def _reference(model: str) -> dict[str, Any]:
    return {"$ref": _REF.format(model=model)}
