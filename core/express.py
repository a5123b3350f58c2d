"""The busiest addresses go straight to their endpoints, past routing and middleware, which cost as
much as all the rest of a request (docs/performance.md)."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from core.api.problems import Endpoint


class Express:
    """ASGI. Of `routes` those go by it that take POST at a fixed address, with an endpoint that
    answers every error itself; the application has them too, for all other methods."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._endpoints: dict[str, Endpoint] = {
            route.path: route.endpoint
            for route in routes
            if isinstance(route, Route) and "POST" in (route.methods or ())
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["path"]) if scope["type"] == "http" else None
        if endpoint is None or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        scope["endpoint"] = endpoint  # as routing would leave it, for the metrics
        response = await endpoint(Request(scope, receive))
        await response(scope, receive, send)
