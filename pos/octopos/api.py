"""The vendor's HTTP API: signing in, asking, and what an error means."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import malva
from malva import FetchError
from pos.octopos.rows import one
from pos.octopos.settings import Settings

_PATHS = "/api/v2"
AT_ONCE = 8
"""Questions under way at once; the vendor names no limit."""
_REFRESH = 300.0
"""Seconds between two looks for stations that we don't know."""


class Api:
    """A token is obtained when needed, kept, and renewed on a 401.

    Every FetchError may be retried: a 404 may be an order that isn't visible yet, a 400 or 401 a
    password that is being changed. Points wait for a day; then core gives up, and says so.
    """

    def __init__(self, settings: Settings, http: malva.Http) -> None:
        self._settings = settings
        self._http = http
        base = settings.api_base.rstrip("/")
        self._base = base if base.endswith(_PATHS) else base + _PATHS
        self._token: str | None = None
        self._stations: dict[str, str] = {}
        self._locations: set[str] = set()
        self._looked_at = 0.0
        self._signing_in = asyncio.Lock()
        self._asking = asyncio.Semaphore(AT_ONCE)

    async def get(self, path: str, *, missing: Any = None) -> Any:
        """`missing`: what a 404 means, where it is no error."""
        return await self._call("GET", path, None, missing)

    async def post(self, path: str, document: Mapping[str, Any]) -> Any:
        return await self._call("POST", path, document, None)

    async def location_of(self, station: str) -> str | None:
        """None for a station that is none of the account's, even after looking again."""
        looked = asyncio.get_running_loop().time()
        if station not in self._stations and looked - self._looked_at >= _REFRESH:
            self._looked_at = looked
            await self._sign_in(self._token)
        return self._stations.get(station)

    async def locations(self) -> set[str]:
        await self._sign_in(self._token)
        return self._locations

    async def _call(self, method: str, path: str, document: Any, missing: Any) -> Any:
        async with self._asking:
            token = self._token or await self._sign_in(None)
            status, answer = await self._request(method, path, document, token)
            if status == 401:
                token = await self._sign_in(token)
                status, answer = await self._request(method, path, document, token)
        if status == 404 and missing is not None:
            return missing
        return accepted(status, answer, path)

    async def _sign_in(self, stale: str | None) -> str:
        """A new token, once for all who wait for one."""
        async with self._signing_in:
            if self._token is not None and self._token != stale:
                return self._token
            secret = {
                "email": self._settings.email,
                "password": self._settings.password.get_secret_value(),
            }
            status, document = await self._request("POST", "/authenticate", secret, None)
            answer = one(accepted(status, document, "/authenticate"))
            token = answer.get("token")
            if not token:
                raise FetchError("Octopos gave no token")
            self._remember(answer.get("locations") or [])
            self._token = str(token)
            return self._token

    def _remember(self, locations: Any) -> None:
        try:
            self._stations = {
                str(station["id"]): str(location["id"])
                for location in locations
                for station in location.get("pos_station") or []
            }
            self._locations = {str(location["id"]) for location in locations}
        except (TypeError, KeyError, AttributeError):
            raise FetchError("Octopos told its locations in a way that we don't know") from None

    async def _request(
        self, method: str, path: str, document: Any, token: str | None
    ) -> tuple[int, Any]:
        headers = {"Accept": "application/json"}
        if token is not None:
            scheme = f"{self._settings.api_scheme} " if self._settings.api_scheme else ""
            headers[self._settings.api_header] = f"{scheme}{token}"
        try:
            response = await self._http.request(
                method, self._base + path, headers=headers, json=document
            )
        except OSError as error:
            raise FetchError(f"Octopos did not answer: {type(error).__name__}") from None
        if response.status == 429 or response.status >= 500:
            after = response.headers.get("retry-after", "")
            raise FetchError(
                f"Octopos answered {response.status}",
                retry_after=float(after) if after.isdecimal() else None,
            )
        try:
            return response.status, malva.parse_json(response.body)
        except ValueError:
            raise FetchError(f"Octopos answered {response.status} with no JSON") from None


def accepted(status: int, answer: Any, path: str) -> Any:
    """The answer of a 2xx, as it is; FetchError for anything else."""
    if 200 <= status < 300:
        return answer
    error = answer.get("error") if isinstance(answer, dict) else None
    told = error.get("message") if isinstance(error, dict) else None
    words = "; ".join(map(str, told)) if isinstance(told, list) else str(told or "")
    raise FetchError(f"{path.split('?')[0]}: {status} {words}".strip())
