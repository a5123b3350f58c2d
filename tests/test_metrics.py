"""`/metrics`: who may see it, and what it counts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from core.contract import GuestIdentified, GuestJoined, OrderCounted, OrderTakenBack
from core.metrics import Measured, Metrics, metrics_route
from core.services import messages
from core.storage.database import Database
from core.storage.tables import contacts
from core.storage.tables import messages as message_rows

LOOPBACK, ELSEWHERE = ("127.0.0.1", 50000), ("203.0.113.7", 50000)


@pytest.fixture
def database(sqlite_url):
    database = Database(sqlite_url)
    yield database
    database.close()


@pytest.fixture
def ask(database):
    """`ask(client=…, token=…, header=value)`: the answer to GET /metrics."""

    def get(*, client=LOOPBACK, token=None, metrics=None, **headers: str):
        route = metrics_route(metrics or Metrics(), database, token)
        with TestClient(Starlette(routes=[route]), client=client) as browser:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            return browser.get("/metrics", headers=given)

    return get


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_without_a_token_this_machine_may_see_it(ask, host):
    assert ask(client=(host, 50000)).status_code == 200


@pytest.mark.parametrize("host", ["203.0.113.7", "10.0.0.1", "::ffff:10.0.0.1", "testclient"])
def test_without_a_token_nobody_else_may(ask, host):
    assert ask(client=(host, 50000)).status_code == 403


@pytest.mark.parametrize("header", ["x_forwarded_for", "forwarded", "x_real_ip"])
def test_what_a_proxy_on_this_machine_passes_on_is_not_from_this_machine(ask, header):
    assert ask(**{header: "127.0.0.1"}).status_code == 403


@pytest.mark.parametrize("client", [LOOPBACK, ELSEWHERE])
def test_with_a_token_whoever_bears_it_may_see_it_and_nobody_else(ask, client):
    def with_token(**headers: str | bytes) -> int:
        return ask(client=client, token="let-me-see", **headers).status_code

    assert with_token(authorization="Bearer let-me-see") == 200
    assert with_token() == 401
    assert with_token(authorization="Bearer wrong") == 401
    assert with_token(authorization="Basic let-me-see") == 401
    assert with_token(authorization="Bearer лет".encode()) == 401


def test_what_happened_is_counted(ask):
    metrics = Metrics()
    order = {"cafe": "bife", "order_id": "1", "points": 85, "balance": 85}
    metrics.tell(OrderCounted(guest_id="g", **order))
    metrics.tell(OrderCounted(guest_id="h", **order))
    metrics.tell(OrderCounted(guest_id=None, **order))
    metrics.tell(OrderTakenBack(guest_id="g", **order))
    for _ in range(2):
        metrics.tell(OrderTakenBack(guest_id="g", undone=True, **order))
    metrics.tell(GuestJoined(guest_id="g", cafe="bife", channel="webchat"))
    metrics.tell(GuestIdentified(guest_id="g", cafe="bife", till="1", proof="qr"))
    figures = ask(metrics=metrics).text
    assert 'malva_orders_total{cafe="bife",claimed="yes"} 2.0' in figures
    assert 'malva_orders_total{cafe="bife",claimed="no"} 1.0' in figures
    assert 'malva_refunds_total{cafe="bife"} 1.0' in figures
    assert 'malva_undone_total{cafe="bife"} 2.0' in figures
    assert 'malva_guests_total{channel="webchat"} 1.0' in figures
    assert 'malva_identified_total{cafe="bife",proof="qr"} 1.0' in figures


def test_the_outbox_is_told_as_it_is_in_the_database(ask, database):
    now = datetime.now(UTC)

    def fill(tx):
        contact_id = tx.scalar(
            sa.insert(contacts)
            .values(channel="c", address="1", stored=0, created_at=now)
            .returning(contacts.c.id)
        )
        for minutes in (-2, -1, 60):
            messages.put(
                tx, contact_id=contact_id, channel="c", lane=messages.ANSWER, kind="reply",
                body={}, now=now, due_at=now + timedelta(minutes=minutes),
            )  # fmt: skip
        tx.execute(sa.update(message_rows).where(message_rows.c.id == 2).values(status="delivered"))

    database.write_now(fill)
    figures = ask().text
    assert 'malva_messages{status="queued"} 2.0' in figures
    assert 'malva_messages{status="delivered"} 1.0' in figures
    assert "malva_outbox_depth 2.0" in figures
    age = re.search(r"^malva_outbox_age_seconds (\S+)$", figures, re.MULTILINE)
    assert age
    assert 119 < float(age[1]) < 180


def test_requests_are_counted_by_route_never_by_address():
    async def hello(request):
        return PlainTextResponse("hello")

    async def order(request):
        return PlainTextResponse(request.path_params["id"])

    async def broken(request):
        raise RuntimeError("broken")

    routes = [
        Route("/card/{token}", hello),
        Mount("/api", routes=[Route("/orders/{id}", order, methods=["GET", "POST"])]),
        Route("/broken", broken),
    ]
    metrics = Metrics()
    browser = TestClient(
        Measured(Starlette(routes=routes), metrics, routes), raise_server_exceptions=False
    )
    for address in ("/card/secret-1", "/card/secret-2", "/api/orders/7", "/nope/1", "/broken"):
        browser.get(address)
    browser.request("BREW", "/card/secret-3")
    counted = {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for metric in metrics.requests.collect()
        for sample in metric.samples
        if sample.name.endswith("_count")
    }
    assert counted == {
        ("GET", "/card/{token}", "200"): 2,
        ("GET", "/api/orders/{id}", "200"): 1,
        ("GET", "other", "404"): 1,
        ("GET", "/broken", "500"): 1,
        ("other", "/card/{token}", "405"): 1,
    }
