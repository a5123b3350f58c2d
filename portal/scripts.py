"""What the pages' own scripts send: JSON, from this very site."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request

import malva

LARGEST_BODY = 64 * 1024


def own_site(request: Request, public_url: str) -> bool:
    """Whether a page of ours asks: a browser says where a request comes from. The page may be open
    under another name of this server."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    ours = {request.headers.get("host"), urlsplit(public_url).netloc}
    return site == "same-origin" and (origin is None or urlsplit(origin).netloc in ours)


def says_json(request: Request) -> bool:
    """Another site's page can't send that here unasked."""
    return request.headers.get("content-type", "").split(";")[0].strip() == "application/json"


async def read_object(request: Request) -> dict[str, Any]:
    """The JSON object that was sent; ValueError for anything else, and for too large a one."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise ValueError("too large")
    document = malva.parse_json(bytes(body))
    if not isinstance(document, dict):
        raise ValueError("a JSON object is wanted")
    return document
