"""What Prometheus may know: `/metrics`.

Orders and guests are counted from the domain's events, so each node counts its own; the outbox is
looked up in the database when it is asked for, so every node says the same of it.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from ipaddress import IPv6Address, ip_address
from typing import Any

import sqlalchemy as sa
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.contract import (
    DomainEvent,
    GuestIdentified,
    GuestJoined,
    OrderCounted,
    OrderTakenBack,
)
from core.services.messages import OPEN
from core.storage.database import Database
from core.storage.tables import messages
from core.storage.tx import Tx

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
"""Upper bounds of the durations that are told apart."""

_FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip")


class Metrics:
    """One process's figures, in a registry of their own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.orders = Counter(
            "malva_orders", "Orders counted", ["cafe", "claimed"], registry=registry
        )
        self._order = cache(self.orders.labels)  # finding the child costs more than counting
        self.refunds = Counter("malva_refunds", "Refunds of orders", ["cafe"], registry=registry)
        self.undone = Counter(
            "malva_undone", "Orders undone at the till", ["cafe"], registry=registry
        )
        self.guests = Counter("malva_guests", "Guests who joined", ["channel"], registry=registry)
        self.identified = Counter(
            "malva_identified", "Guests identified at a till", ["cafe", "proof"], registry=registry
        )
        self.messages = Gauge(
            "malva_messages", "Messages by what became of them", ["status"], registry=registry
        )
        self.outbox_depth = Gauge("malva_outbox_depth", "Messages still to go", registry=registry)
        self.outbox_age = Gauge(
            "malva_outbox_age_seconds", "How long the oldest is overdue", registry=registry
        )
        self.requests = Histogram(
            "malva_http_request_duration_seconds",
            "Requests by route and status",
            ["method", "route", "status"],
            buckets=SECONDS,
            registry=registry,
        )

    def tell(self, event: DomainEvent) -> None:
        """Counts what happened; to be called once after its commit."""
        match event:
            case OrderCounted():
                claimed = "no" if event.guest_id is None else "yes"
                self._order(event.cafe, claimed).inc()
            case OrderTakenBack():
                (self.undone if event.undone else self.refunds).labels(event.cafe).inc()
            case GuestJoined():
                self.guests.labels(event.channel).inc()
            case GuestIdentified():
                self.identified.labels(event.cafe, event.proof).inc()

    async def page(self, database: Database) -> bytes:
        """Everything, in Prometheus' text format."""
        by_status, age = await database.read(outbox, datetime.now(UTC))
        self.messages.clear()
        for status, count in by_status.items():
            self.messages.labels(status).set(count)
        self.outbox_depth.set(by_status.get("queued", 0) + by_status.get("sending", 0))
        self.outbox_age.set(age)
        return generate_latest(self.registry)


def outbox(tx: Tx, now: datetime) -> tuple[dict[str, int], float]:
    """Messages by status, and for how many seconds the oldest that waits has been due."""
    by_status = sa.select(messages.c.status, sa.func.count()).group_by(messages.c.status)
    rows: Iterable[Any] = tx.execute(by_status)
    return {row[0]: row[1] for row in rows}, outbox_age(tx, now)


def outbox_age(tx: Tx, now: datetime) -> float:
    """For how many seconds the oldest message that waits has been due; 0 where none is."""
    oldest = tx.scalar(
        sa.select(sa.func.min(messages.c.due_at)).where(OPEN, messages.c.status == "queued")
    )
    return max(0.0, (now - oldest).total_seconds()) if oldest else 0.0


class Measured:
    """ASGI: notes the duration of each request by the route that took it.

    `routes` are the application's own: what they don't have counts as `other`, so that nobody
    fills the registry with addresses of their own making.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._histogram = metrics.requests
        self._templates = _templates(routes)
        self._children: dict[tuple[str, str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        begun = time.perf_counter()
        try:
            await self._app(scope, receive, noting)
        finally:
            self._observe(scope, status, time.perf_counter() - begun)

    def _observe(self, scope: Scope, status: int, seconds: float) -> None:
        template = self._templates.get(id(scope.get("endpoint")), "other")
        method = scope["method"] if scope["method"] in ("GET", "POST", "HEAD") else "other"
        key = (method, template, status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._histogram.labels(method, template, str(status))
        child.observe(seconds)


def _templates(routes: Iterable[BaseRoute], prefix: str = "") -> dict[int, str]:
    """Route templates by the id of their endpoint, which is what Starlette leaves in the scope."""
    found: dict[int, str] = {}
    for route in routes:
        if isinstance(route, Route):
            found.setdefault(id(route.endpoint), prefix + route.path)
        elif isinstance(route, Mount):
            found[id(route.app)] = f"{prefix}{route.path}/"
            found.update(_templates(route.routes, prefix + route.path))
    return found


def metrics_route(metrics: Metrics, database: Database, token: str | None) -> Route:
    """`/metrics`: for whoever has the token; without one, for this machine alone."""

    async def endpoint(request: Request) -> Response:
        if token is not None:
            if not _bears(request, token):
                refused = {"WWW-Authenticate": "Bearer"}
                return PlainTextResponse("a bearer token is needed", 401, headers=refused)
        elif not _from_here(request):
            return PlainTextResponse("only from this machine; or set MALVA_METRICS_TOKEN", 403)
        return Response(await metrics.page(database), media_type=CONTENT_TYPE_LATEST)

    return Route("/metrics", endpoint, methods=["GET"])


def _bears(request: Request, token: str) -> bool:
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    return kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def _from_here(request: Request) -> bool:
    """From loopback, and not passed on by a proxy on this machine for somebody elsewhere."""
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
