"""The one HTTP client: always a time-out, no redirects, answers of limited size, no secrets told.

Bot tokens ride in paths and keys in headers, so neither a log line nor an exception ever names
more of a request than its method and host.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from yarl import URL

_log = logging.getLogger(__name__)

CONNECTIONS = 100
LARGEST_ANSWER = 8 * 1024 * 1024
"""Bytes, after decompression: more than any provider of ours has to say."""


@dataclass(slots=True)
class Response:
    """An answer, read whole. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)  # its error is a ValueError


class Wire:
    """`core.contract.Http` over one shared session; make it and close it on the event loop."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "Malva"},
        )

    async def close(self) -> None:
        await self._session.close()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: Mapping[str, str] | bytes | None = None,
        timeout: float = 10.0,
    ) -> Response:
        """`json` or `data` (a form, or bytes as they are) is the body; `timeout` is in seconds,
        for all of it.

        TimeoutError: no answer in time. ConnectionRefusedError: the request never left. OSError:
        anything else that is no answer; it may have been carried out. A redirect is an answer.
        """
        sent = dict(headers or {})
        if json is not None:
            data = orjson.dumps(json)
            sent.setdefault("Content-Type", "application/json")
        elif isinstance(data, Mapping):
            data = _form(data)
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        if self._session.closed:
            raise ConnectionRefusedError(f"{_where(method, url)}: the client is closed")
        try:
            answer = await self._exchange(method, url, sent, data, timeout)
        except TimeoutError:
            what = f"{_where(method, url)}: no answer within {timeout:g} s"
            raise TimeoutError(what) from None
        except aiohttp.ClientConnectorError as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            raise ConnectionRefusedError(f"{_where(method, url)}: no connection: {why}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise OSError(f"{_where(method, url)}: {type(error).__name__}") from None
        if _log.isEnabledFor(logging.DEBUG):
            size = len(answer.body)
            _log.debug("%s: %s, %d bytes", _where(method, url), answer.status, size)
        return answer

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        data: bytes | None,
        timeout: float,
    ) -> Response:
        async with self._session.request(
            method,
            url,
            headers=headers,
            data=data,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=timeout),
        ) as answer:
            lower = {name.lower(): value for name, value in answer.headers.items()}
            return Response(answer.status, lower, await _read(answer))


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            answer.close()
            raise aiohttp.ClientPayloadError("too large")
    return bytes(body)


def _form(fields: Mapping[str, str]) -> bytes:
    """yarl writes it five times as fast as the standard library."""
    return URL.build(query=fields).raw_query_string.encode()


def _where(method: str, url: str) -> str:
    """Method, scheme, host and port: what of a request may be told."""
    try:
        return f"{method} {URL(url).origin()}"
    except ValueError:
        return f"{method} (no address)"
